/** Health check of a container: `node infra/ready.mjs URL`, exit code 0 when it answers with 2xx. */
try {
  const response = await fetch(process.argv[2], { signal: AbortSignal.timeout(4_000) });
  if (!response.ok) console.error((await response.text()).trim());
  process.exitCode = response.ok ? 0 : 1;
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
