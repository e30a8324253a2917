// An upstream pool of two proxy workers in front of the servers that the environment names: host:port, with commas between them.

export default {
  // On a busy machine the requests would count as heavy, and connections would rest between them.
  pools: { up: { workers: 2, rest: 'never', upstream: process.env.SERVERS.split(',').map((server) => `http://${server}`) } },
  listen: { host: '127.0.0.1', port: 0 },
}
