/** Passes bytes between `127.0.0.1:<listen>` and `127.0.0.1:<target>`: arguments. Stopped by SIGSTOP it is a black hole. */
import { connect, createServer } from 'node:net';

const [listen = '', target = ''] = process.argv.slice(2);
const server = createServer((near) => {
  const far = connect(Number(target), '127.0.0.1');
  near.pipe(far);
  far.pipe(near);
  const end = (): void => {
    near.destroy();
    far.destroy();
  };
  near.once('error', end).once('close', end);
  far.once('error', end).once('close', end);
});
// a short queue of connections waiting to be accepted is quickly full
server.listen({ port: Number(listen), host: '127.0.0.1', backlog: 1 }, () => process.stdout.write('passing\n'));
