// Places an order, watches it, and asks for twelve quotes and then twelve reports at the same time, all over one connection.

import { join } from 'node:path'
import { promisify } from 'node:util'
import grpc from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'

const { shop } = grpc.loadPackageDefinition(loadSync(join(import.meta.dirname, 'shop.proto')))
const { PORT = '50051' } = process.env
const address = `127.0.0.1:${PORT}`
const credentials = grpc.credentials.createInsecure()
// Both clients use one connection.
const orders = new shop.Orders(address, credentials)
const reports = new shop.Reports(address, credentials)

const place = promisify(orders.place.bind(orders))
const quote = promisify(orders.quote.bind(orders))
const render = promisify(reports.render.bind(reports))

const receipt = await place({ product: 'tea' })
const steps = []
for await (const { what } of orders.watch({ product: 'tea' })) steps.push(what)
const quoted = await Promise.all(Array.from({ length: 12 }, (_, index) => quote({ products: Array(index + 1).fill('tea') })))
const months = Array.from({ length: 12 }, (_, index) => `2026-${String(index + 1).padStart(2, '0')}`)
const rendered = await Promise.all(months.map((month) => render({ month })))
const pidsOf = (answers) => [...new Set(answers.map(({ pid }) => pid))]
console.log(
  JSON.stringify({
    order: receipt.pid,
    peer: receipt.peer,
    steps,
    prices: quoted.map(({ cents }) => cents),
    quotes: pidsOf(quoted),
    months: rendered.map(({ month }) => month),
    reports: pidsOf(rendered),
  }),
)
orders.close()
reports.close()
