// Runs an app under PM2 in cluster mode: pm2.js <command of PM2> <workers> <app>. PM2 has its home where PM2_HOME says, and stays in the foreground, so that nothing of it
// is left.

import { freePort, start, tellReady } from './family.js'

const [command, workers, app] = process.argv.slice(2)
const port = await freePort()

start(process.execPath, [command, 'start', app, '-i', workers, '--no-daemon'], { PORT: `${port}` })
await tellReady(port)
