// An Express app with express-session, as written for one process except for its store.

import { expressSessions } from '@switchyard/worker-runtime/express-session'
import express from 'express'
import session from 'express-session'

const store = expressSessions(session)

const app = express()
app.use(
  session({
    store,
    genid: store.newId,
    secret: process.env.SESSION_SECRET ?? 'only for this example',
    // Only changes are written, and only visitors with something in their session get a cookie.
    resave: false,
    saveUninitialized: false,
    cookie: { maxAge: 3_600_000, sameSite: 'lax' },
  }),
)
app.use(express.json())

app.get('/', (request, response) => {
  const { user = null, visits = 0, note = null } = request.session
  response.json({ user, visits, note, pid: process.pid })
})

app.post('/visits', (request, response) => {
  request.session.visits = (request.session.visits ?? 0) + 1
  response.json({ visits: request.session.visits, pid: process.pid })
})

app.post('/note', (request, response) => {
  request.session.note = request.body.note
  response.json({ note: request.session.note })
})

app.post('/login', (request, response, next) => {
  const { visits } = request.session
  // A new id at login: an id planted by an attacker is worth nothing.
  request.session.regenerate((fault) => {
    if (fault) return next(fault)
    Object.assign(request.session, { user: request.body.user, visits })
    // Saved before the answer, so that a failure is a 503: at the end of a response it would be too late for that.
    request.session.save((fault) => (fault ? next(fault) : response.json({ user: request.session.user })))
  })
})

app.post('/logout', (request, response, next) => {
  request.session.destroy((fault) => (fault ? next(fault) : response.json({ user: null })))
})

app.listen(3000)
