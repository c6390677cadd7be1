import type { z } from 'zod';

/** The environment does not fit the service's configuration. `message` has a line per variable: value and remedy. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly code = 'CONFIG_INVALID';
  readonly variables: readonly string[];

  constructor(problems: readonly { variable: string; text: string }[]) {
    super(problems.map(({ variable, text }) => `${variable}: ${text}`).join('\n'));
    this.variables = problems.map(({ variable }) => variable);
  }
}

/** Variables whose value is not repeated in an error. */
const SECRET = /PASS|SECRET|TOKEN|KEY|CLUSTERS|URL/;

/**
 * Reads `MEADOW_*` variables. Keys of `schema` are variable names; an empty variable counts as not set, and so does the
 * `tcp://…` that Kubernetes sets for a service named like ours (`MEADOW_GATEWAY_PORT=tcp://10.0.0.1:5555`).
 * @throws ConfigError naming every variable that does not fit.
 */
export function readConfig<S extends z.ZodObject>(
  schema: S,
  env: Readonly<Record<string, string | undefined>>,
): z.output<S> {
  const given: Record<string, string> = {};
  for (const variable of Object.keys(schema.shape)) {
    const value = env[variable];
    const setByKubernetes = variable.endsWith('_PORT') && value?.startsWith('tcp://') === true;
    if (value !== undefined && value !== '' && !setByKubernetes) given[variable] = value;
  }
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  throw new ConfigError(
    parsed.error.issues.map(({ path, message }) => {
      const variable = String(path[0] ?? '?');
      const value = given[variable];
      if (value === undefined) return { variable, text: `not set; ${message}` };
      return { variable, text: SECRET.test(variable) ? message : `${JSON.stringify(value)}: ${message}` };
    }),
  );
}
