// Takes letters from a queue. It opens no server.
console.log(`mailer ${process.env.NODE_APP_INSTANCE} waits for letters`)
setInterval(() => {}, 60_000)
