// What becomes of the files in PM2's documentation, retyped.

import { assert, suite } from '../../../../../test/suite.ts'
import type { Pm2Choice } from '../../../src/config/pm2/convert.ts'
import { imported } from './imported.ts'

const test = suite('documented files for PM2', { timeoutMs: 20_000 })

interface Documented {
  readonly title: string
  readonly text: string
  readonly name?: string
  readonly choice?: Pm2Choice
  readonly config: unknown
  /** What is not simply taken over, by `app.option`. */
  readonly missing?: readonly string[]
  readonly differs?: readonly string[]
  readonly notNeeded?: readonly string[]
}

const app = (more: object = {}) => ({ app: './app.js', workers: 1, ...more })

const files: readonly Documented[] = [
  {
    title: 'pm2 init simple',
    text: "module.exports = { apps: [{ name: 'app1', script: './app.js' }] }",
    config: { pools: { app1: app() } },
  },
  {
    title: 'two environments, none chosen',
    text: `module.exports = { apps: [{ name: 'app1', script: './app.js',
      env_production: { NODE_ENV: 'production' }, env_development: { NODE_ENV: 'development' } }] }`,
    config: { pools: { app1: app() } },
    notNeeded: ['app1.env_production', 'app1.env_development'],
  },
  {
    title: 'two environments, --env production',
    text: `module.exports = { apps: [{ name: 'app1', script: './app.js',
      env_production: { NODE_ENV: 'production' }, env_development: { NODE_ENV: 'development' } }] }`,
    choice: { env: 'production' },
    config: { pools: { app1: app({ env: { NODE_ENV: 'production' } }) } },
    notNeeded: ['app1.env_development'],
  },
  {
    title: 'a worker that is watched, beside an API in cluster mode',
    text: `module.exports = { apps: [
      { name: 'worker', script: './worker.js', watch: true, env: { NODE_ENV: 'development' }, env_production: { NODE_ENV: 'production' } },
      { name: 'api-app', script: './api.js', instances: 4, exec_mode: 'cluster' },
    ] }`,
    config: {
      pools: {
        'api-app': { app: './api.js', workers: 4 },
        worker: { app: './worker.js', env: { NODE_ENV: 'development' }, listens: false, workers: 1 },
      },
    },
    missing: ['worker.watch'],
    differs: ['worker.listens'],
    notNeeded: ['worker.env_production', 'api-app.exec_mode'],
  },
  {
    title: 'the same in YAML',
    name: 'process.yml',
    text: `apps:
  - script: ./api.js
    name: 'api-app'
    instances: 4
    exec_mode: cluster
  - script: ./worker.js
    name: 'worker'
    watch: true
    env:
      NODE_ENV: development
    env_production:
      NODE_ENV: production
`,
    choice: { env: 'production' },
    config: {
      pools: {
        'api-app': { app: './api.js', workers: 4 },
        worker: { app: './worker.js', env: { NODE_ENV: 'production' }, listens: false, workers: 1 },
      },
    },
    missing: ['worker.watch'],
    differs: ['api-app.env_production', 'worker.listens'],
    notNeeded: ['api-app.exec_mode'],
  },
  {
    title: 'cluster mode in JSON',
    name: 'processes.json',
    text: '{ "apps": [{ "script": "api.js", "instances": "max", "exec_mode": "cluster" }] }',
    config: { pools: { api: { app: './api.js', workers: 'max' } } },
    notNeeded: ['api.exec_mode'],
  },
  {
    title: 'a restart by cron, in a name with spaces',
    text: `module.exports = { apps: [{ name: 'Business News Watcher', script: 'app.js', instances: 1, cron_restart: '0 0 * * *',
      env: { NODE_ENV: 'development' }, env_production: { NODE_ENV: 'production' } }] }`,
    config: { pools: { 'Business-News-Watcher': app({ env: { NODE_ENV: 'development' }, restartAt: '0 0 * * *' }) } },
    differs: ['Business News Watcher.name'],
    notNeeded: ['Business News Watcher.env_production'],
  },
  {
    title: 'one app without a list, watched folders',
    text: "module.exports = { script: 'app.js', watch: ['server', 'client'], watch_delay: 1000, ignore_watch: ['node_modules', 'client/img'] }",
    config: { pools: { app: app() } },
    missing: ['app.watch', 'app.watch_delay', 'app.ignore_watch'],
  },
  {
    title: 'a limit of memory',
    text: "module.exports = { script: 'api.js', max_memory_restart: '300M' }",
    config: { pools: { api: { app: './api.js', workers: 1, maxMemory: { soft: '300M' } } } },
  },
  {
    title: 'a delay between restarts, in a bare list',
    text: "module.exports = [{ script: 'app.js', restart_delay: 3000 }]",
    config: { restartDelayMs: 3000, pools: { app: app() } },
    differs: ['app.restart_delay'],
  },
  {
    title: 'no restart',
    text: "module.exports = { script: 'job.js', autorestart: false }",
    config: { pools: { job: { app: './job.js', listens: false, workers: 1, stopExitCodes: [0] } } },
    differs: ['job.autorestart', 'job.listens'],
  },
  {
    title: 'exit codes that are final',
    text: "module.exports = [{ script: 'app.js', stop_exit_codes: [0] }]",
    config: { pools: { app: app({ stopExitCodes: [0] }) } },
  },
  {
    title: 'a growing delay',
    text: "module.exports = [{ script: 'app.js', exp_backoff_restart_delay: 100 }]",
    config: { restartDelayMs: 100, pools: { app: app() } },
    differs: ['app.exp_backoff_restart_delay'],
  },
  {
    title: 'graceful start and stop',
    text: "module.exports = { apps: [{ name: 'app', script: './app.js', wait_ready: true, listen_timeout: 50000, kill_timeout: 3000 }] }",
    config: { startTimeoutMs: 50000, pools: { app: app({ readyWhen: 'message', stopTimeoutMs: 3000 }) } },
    differs: ['app.listen_timeout'],
  },
  {
    title: 'a shutdown by message',
    text: "module.exports = { apps: [{ name: 'app', script: './app.js', shutdown_with_message: true }] }",
    config: { pools: { app: app({ shutdownMessage: true }) } },
  },
  {
    title: 'a counted variable, with another start',
    text: `module.exports = { apps: [{ name: 'app1', script: 'app.js', instances: 2, increment_var: 'SHARD', env: { SHARD: '3' } },
      { name: 'app2', script: 'app.js', instances: 2, increment_var: 'PORT', env: { PORT: 3000 } }] }`,
    config: {
      pools: { app1: app({ workers: 2, env: { SHARD: '3' } }), app2: app({ workers: 2, env: { PORT: '3000' } }) },
      routes: [{ listener: 3000, pool: 'app2' }],
    },
    missing: ['app1.increment_var'],
    notNeeded: ['app2.increment_var'],
  },
  {
    title: 'a variable of the slot',
    text: "module.exports = { apps: [{ script: 'app.js', instances: 2, instance_var: 'INSTANCE_ID' }] }",
    config: { pools: { app: app({ workers: 2, slotVariable: 'INSTANCE_ID' }) } },
  },
  {
    title: 'log files',
    text: `module.exports = { apps: [{ name: 'app', script: 'app.js', output: './out.log', error: './error.log', log: './combined.outerr.log',
      log_type: 'json', log_date_format: 'YYYY-MM-DD HH:mm Z' }] }`,
    config: {
      logs: {
        folder: '.',
        file: 'combined.outerr.log',
        format: 'json',
        timestamps: true,
        rotate: { size: '10M', keep: 10, compress: true },
      },
      pools: { app: app() },
    },
    differs: ['app.output', 'app.error', 'app.log_date_format'],
  },
  {
    title: 'no log files',
    text: "module.exports = { apps: [{ script: 'app.js', out_file: '/dev/null', error_file: '/dev/null' }] }",
    config: { pools: { app: app() } },
    differs: ['app.out_file', 'app.error_file'],
  },
  {
    title: 'a static server of PM2 beside an app',
    text: `module.exports = { apps: [{ script: 'app.js' },
      { name: 'static', script: 'serve', env: { PM2_SERVE_PATH: '.', PM2_SERVE_PORT: 8080 } }] }`,
    config: { pools: { app: app() } },
    missing: ['static.script'],
  },
  {
    title: 'source maps, other Node options, a deployment',
    text: `module.exports = { apps: [{ script: 'app.js', disable_source_map_support: true, interpreter_args: '--harmony --max-old-space-size=2048' }],
      deploy: { production: { user: 'ubuntu', host: ['192.168.0.13'], ref: 'origin/main', repo: 'git@example.com:app.git', path: '/var/www' } } }`,
    config: { pools: { app: app({ execArgv: ['--harmony', '--max-old-space-size=2048'], sourceMaps: false }) } },
    missing: ['deploy'],
  },
  {
    title: 'every app with its user',
    text: "module.exports = { apps: [{ script: 'app.js', uid: 'nobody', gid: 'nogroup' }] }",
    config: { pools: { app: app({ uid: 'nobody', gid: 'nogroup' }) } },
  },
]

for (const { title, text, name, choice, config, missing = [], differs = [], notNeeded = [] } of files) {
  test(title, async () => {
    const found = await imported(text, choice, name)
    assert.equal(found.config, config)
    assert.equal(
      [found.of('missing').sort(), found.of('differs').sort(), found.of('not needed').sort()],
      [[...missing].sort(), [...differs].sort(), [...notNeeded].sort()],
    )
  })
}

test.run()
