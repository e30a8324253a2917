// Runs an app under PM2 in cluster mode: pm2.js <command of PM2> <workers> <app> <more arguments>. PM2's home is PM2_HOME, and PM2 stays in the foreground,
// so that no process of it outlives this one.

import { freePort, printReady, start } from './family.js'

const [command, workers, app, ...more] = process.argv.slice(2)
const port = await freePort()

start(process.execPath, [command, 'start', app, '-i', workers, '--no-daemon', ...more], { PORT: `${port}` })
await printReady(port)
