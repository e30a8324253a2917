// Runs a command that starts the apps of ecosystem.config.cjs on free ports: two-ports.js <file> <arguments …>

import { freePort, printReady, start } from './family.js'

const port = await freePort()

start(process.execPath, process.argv.slice(2), { SHOP_PORT: `${port}`, ADMIN_PORT: `${await freePort()}` })
await printReady(port)
