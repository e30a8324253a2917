import { defineConfig } from '@switchyard/balancer'

const { HTTP_PORT = '8080', HTTPS_PORT = '8443', CERTIFICATES = './certificates' } = process.env

export default defineConfig({
  app: './server.js',
  pools: { web: { workers: 2 } },
  listen: [
    // On a server these are the ports 80 and 443.
    { port: Number(HTTP_PORT), redirectToHttps: true, acmeFolder: './webroot' },
    { port: Number(HTTPS_PORT), tls: { folder: CERTIFICATES, hsts: 31_536_000 } },
  ],
})
