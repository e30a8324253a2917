// One server.js with all that it needs, as Next.js apps are deployed.
export default { output: 'standalone' }
