// An Express app as written for one process. Its workers get connections by hand-off.

import express from 'express'

const app = express()

app.get('/', (_request, response) => {
  response.json({ hello: 'world', pid: process.pid })
})

app.listen(3000)
