// Twenty files for PM2 that use every option: what becomes of each. No option that is written is without a word.

import { assert, suite } from '../../../../../test/suite.ts'
import { readOptions } from '../../../src/config/pm2/option-names.ts'
import { imported } from './imported.ts'
import { DOCUMENTED_OPTIONS, SCHEMA_OPTIONS } from './schema-options.ts'

const test = suite('own files for PM2', { timeoutMs: 20_000 })

interface Own {
  readonly title: string
  readonly apps: readonly Readonly<Record<string, unknown>>[]
  readonly files?: Readonly<Record<string, string>>
  readonly env?: string
  readonly only?: readonly string[]
  readonly config: unknown
  readonly missing?: readonly string[]
  readonly differs?: readonly string[]
  readonly notNeeded?: readonly string[]
}

const ROTATE = { size: '10M', keep: 10, compress: true }
const app = (more: object = {}) => ({ app: './app.js', workers: 1, ...more })
const job = (more: object = {}) => ({ app: './job.js', ...more })

const files: readonly Own[] = [
  {
    title: 'fewer workers than cores, and text in place of numbers',
    apps: [
      { name: 'less', script: 'app.js', instances: -1, exec_mode: 'cluster_mode', kill_timeout: '4000' },
      { name: 'text', script: 'api.js', instances: '2', execMode: 'fork' },
      { name: 'none', script: 'worker.js', instances: '-9' },
      { name: 'zero', script: 'worker.js', instances: 0, exec_mode: 'fork_mode' },
    ],
    config: {
      pools: {
        less: app({ workers: 3, stopTimeoutMs: 4000 }),
        text: { app: './api.js', workers: 2 },
        none: { app: './worker.js', listens: false, workers: 1 },
        zero: { app: './worker.js', listens: false, workers: 'max' },
      },
    },
    differs: ['less.instances', 'text.execMode', 'none.instances', 'none.listens', 'zero.listens'],
    notNeeded: ['less.exec_mode', 'zero.exec_mode'],
  },
  {
    title: 'ports: by option, by variable, the same twice',
    apps: [
      { name: 'shop', script: 'app.js', port: 3000, env: { PORT: 1 } },
      { name: 'admin', script: 'app.js', env: { PORT: '4000' } },
      { name: 'other', script: 'api.js', port: 3000 },
      { name: 'free', script: 'api.js' },
    ],
    config: {
      pools: {
        shop: app({ env: { PORT: '3000' } }),
        admin: app({ env: { PORT: '4000' } }),
        other: { app: './api.js', env: { PORT: '3000' }, workers: 1 },
        free: { app: './api.js', workers: 1 },
      },
      routes: [
        { listener: 3000, pool: 'shop' },
        { listener: 4000, pool: 'admin' },
      ],
    },
    differs: ['other.port'],
  },
  {
    title: 'scheduled jobs, and a restart that is turned off',
    apps: [
      { name: 'nightly', script: 'job.js', cron: '0 3 * * *', autorestart: false, args: ['--all', 7], instances: 1, wait_ready: true },
      { name: 'many', script: 'job.js', instances: 'max', cron_restart: '*/5 * * * *', autorestart: false },
      { name: 'off', script: 'app.js', cron_restart: 0, autorestart: true },
      { name: 'weekly', script: 'app.js', cron_restart: '0 4 * * 0' },
    ],
    config: {
      pools: {
        off: app(),
        weekly: app({ restartAt: '0 4 * * 0' }),
        nightly: job({ args: ['--all', '7'], schedule: '0 3 * * *' }),
        many: job({ schedule: '*/5 * * * *' }),
      },
    },
    differs: ['nightly.cron', 'many.instances', 'many.cron_restart'],
    notNeeded: ['nightly.wait_ready'],
  },
  {
    title: 'one log file for each app in one folder',
    apps: [
      { name: 'web', script: 'app.js', out_file: 'logs/web.log', err_file: 'logs/web-error.log', time: true },
      { name: 'api', script: 'api.js', instances: 3, outFile: './logs/api.log', errorFile: './logs/api-error.log', combine_logs: true },
    ],
    config: {
      logs: { folder: './logs', file: '{pool}.log', errorFile: '{pool}-error.log', timestamps: true, rotate: ROTATE },
      pools: { web: app(), api: { app: './api.js', workers: 3 } },
    },
    differs: ['web.time'],
  },
  {
    title: 'log files in two folders, one for each worker',
    apps: [
      { name: 'web', script: 'app.js', out_file: '/var/log/web/out.log', error_file: '/var/log/web/out.log', disable_logs: true },
      { name: 'api', script: 'api.js', instances: 2, log: '/var/log/api/all.log', merge_logs: false, disable_logs: false },
    ],
    config: {
      logs: { folder: '/var/log/web', file: '{pool}-{slot}.log', rotate: ROTATE },
      pools: { web: app(), api: { app: './api.js', workers: 2 } },
    },
    missing: ['web.disable_logs'],
    differs: ['web.out_file', 'api.log'],
  },
  {
    title: 'log options without a file',
    apps: [
      { script: 'app.js', log_type: 'json', log_date_format: 'HH:mm', time: false, merge_logs: true, disable_logs: true, log_file: true },
    ],
    config: { pools: { app: app() } },
    differs: ['app.log_type', 'app.log_date_format', 'app.time', 'app.log_file'],
    notNeeded: ['app.merge_logs'],
  },
  {
    title: 'restarts',
    apps: [
      { name: 'one', script: 'app.js', min_uptime: '5s', max_restarts: 10, restart_delay: 0, stop_exit_codes: [0, '143'] },
      {
        name: 'two',
        script: 'api.js',
        min_uptime: '1m',
        maxRestarts: 50,
        restart_delay: 60000,
        exp_backoff_restart_delay: 200,
        stopExitCodes: 3,
      },
    ],
    config: {
      maxRestarts: 50,
      restartDelayMs: 60000,
      maxRestartDelayMs: 60000,
      pools: {
        one: app({ stopExitCodes: [0, 143], reload: { settleMs: 5000 } }),
        two: { app: './api.js', workers: 1, stopExitCodes: [3], reload: { settleMs: 10000 } },
      },
    },
    differs: [
      'one.min_uptime',
      'one.max_restarts',
      'two.min_uptime',
      'two.maxRestarts',
      'two.restart_delay',
      'two.exp_backoff_restart_delay',
    ],
    notNeeded: ['one.restart_delay'],
  },
  {
    title: 'memory, in numbers and text',
    apps: [
      { name: 'bytes', script: 'app.js', max_memory_restart: 104857600 },
      { name: 'text', script: 'app.js', maxMemoryRestart: '1G' },
      { name: 'small', script: 'app.js', max_memory_restart: '2048K' },
      { name: 'digits', script: 'app.js', max_memory_restart: '200000000' },
    ],
    config: {
      pools: {
        bytes: app({ maxMemory: { soft: 104857600 } }),
        text: app({ maxMemory: { soft: '1G' } }),
        small: app({ maxMemory: { soft: '2048K' } }),
        digits: app({ maxMemory: { soft: 200000000 } }),
      },
    },
  },
  {
    title: 'readiness and stopping, turned off and on',
    apps: [
      { name: 'on', script: 'app.js', waitReady: true, listen_timeout: 3000, shutdown_with_message: true, treekill: false },
      { name: 'off', script: 'app.js', wait_ready: false, shutdown_with_message: false, kill_retry_time: 50, treekill: true },
    ],
    config: { pools: { on: app({ readyWhen: 'message', shutdownMessage: true }), off: app() } },
    differs: ['off.treekill'],
    notNeeded: ['on.treekill', 'on.listen_timeout', 'off.kill_retry_time'],
  },
  {
    title: 'interpreters',
    apps: [
      { name: 'node', script: 'app.js', interpreter: 'node', node_args: ['--inspect'] },
      { name: 'tsx', script: 'web.ts', exec_interpreter: './node_modules/.bin/tsx', interpreterArgs: '--no-warnings' },
      { name: 'old', script: 'app.js', interpreter: 'node@18.0.0' },
      { name: 'elsewhere', script: 'app.js', interpreter: '/opt/node/bin/node' },
      { name: 'python', script: 'tool.py' },
      { name: 'named', script: 'tool', interpreter: '/usr/bin/python3', args: 'run' },
      { name: 'binary', script: 'tool', interpreter: 'none' },
    ],
    files: { 'tool.py': '', tool: '' },
    config: {
      pools: {
        node: app({ execArgv: ['--inspect'] }),
        tsx: { app: './web.ts', execArgv: ['--import', 'tsx', '--no-warnings'], workers: 1 },
        old: app(),
        elsewhere: app(),
      },
    },
    missing: ['old.interpreter', 'elsewhere.interpreter', 'python.script', 'named.script', 'binary.script'],
    notNeeded: ['node.interpreter'],
  },
  {
    title: 'commands in place of files',
    apps: [
      { name: 'npm', script: 'npm', args: 'start' },
      { name: 'yarn', script: 'yarn run serve --port 1' },
      { name: 'node', script: 'node --max-old-space-size=64 app.js --verbose' },
      { name: 'package', script: './node_modules/.bin/framework', args: 'start', cwd: '.' },
      { name: 'shell', script: 'npm run both' },
      { name: 'bash', exec: './run.sh' },
    ],
    files: {
      'package.json': JSON.stringify({
        scripts: {
          start: 'NODE_ENV=production node app.js',
          serve: 'npm run real',
          real: 'node api.js',
          both: 'node app.js & node api.js',
        },
      }),
      'node_modules/.bin/framework': '#!/usr/bin/env node\n',
      'run.sh': '#!/bin/bash\nnode app.js\n',
    },
    config: {
      pools: {
        npm: app({ env: { NODE_ENV: 'production' } }),
        yarn: { app: './api.js', args: ['--port', '1'], workers: 1 },
        node: app({ args: ['--verbose'], execArgv: ['--max-old-space-size=64'] }),
        package: { app: './node_modules/.bin/framework', args: ['start'], workers: 1 },
      },
    },
    missing: ['shell.script', 'bash.exec'],
  },
  {
    title: 'names: a prefix, the environment, none, strange, the same twice',
    apps: [
      { name: 'web', name_prefix: 'shop-', script: 'app.js', append_env_to_name: true, env_staging: {} },
      { script: 'dist/main.js' },
      { name: '2nd app!', script: 'api.js' },
      { name: 'same', script: 'app.js' },
      { name: 'same', script: 'api.js', force: true },
    ],
    files: { 'dist/main.js': 'x.listen(1)' },
    env: 'staging',
    config: {
      pools: {
        'shop-web-staging': app(),
        main: { app: './dist/main.js', workers: 1 },
        'app-2nd-app': { app: './api.js', workers: 1 },
        same: app(),
        'same-2': { app: './api.js', workers: 1 },
      },
    },
    differs: ['main.env_staging', '2nd app!.env_staging', '2nd app!.name', 'same.env_staging', 'same.env_staging', 'same.name'],
    notNeeded: ['same.force'],
  },
  {
    title: 'variables of every kind',
    apps: [
      {
        script: 'app.js',
        env: { TEXT: 'a', NUMBER: 1, YES: true, NOTHING: null, OBJECT: { a: 1 }, LIST: [1, 'b'] },
        env_production: { TEXT: 'b', MORE: 'c' },
        env_test: { TEXT: 'd' },
      },
    ],
    env: 'production',
    config: {
      pools: { app: app({ env: { TEXT: 'b', NUMBER: '1', YES: 'true', NOTHING: 'null', OBJECT: '{"a":1}', LIST: '[1,"b"]', MORE: 'c' } }) },
    },
    notNeeded: ['app.env_test'],
  },
  {
    title: 'some apps only',
    apps: [
      { name: 'a', script: 'app.js' },
      { name: 'b', script: 'api.js', autostart: false },
      { name: 'c', script: 'worker.js' },
    ],
    only: ['a', 'b'],
    config: { pools: { a: app(), b: { app: './api.js', workers: 1 } } },
  },
  {
    title: 'an app that is not started',
    apps: [
      { name: 'a', script: 'app.js', autostart: true },
      { name: 'b', script: 'api.js', autostart: false },
    ],
    config: { pools: { a: app() } },
    missing: ['b.autostart'],
  },
  {
    title: 'watching, with all of its options',
    apps: [{ script: 'app.js', watch: true, watch_delay: 10, ignore_watch: 'node_modules', watch_options: { followSymlinks: false } }],
    config: { pools: { app: app() } },
    missing: ['app.watch', 'app.watch_delay', 'app.ignore_watch', 'app.watch_options'],
  },
  {
    title: 'probes of PM2, turned off',
    apps: [
      {
        ...{ script: 'app.js', watch: false, pmx: false, automation: false, trace: false, disable_trace: true, v8: false },
        ...{ event_loop_inspector: false, deep_monitoring: false, vizion: false, filter_env: false, source_map_support: true },
      },
    ],
    config: { pools: { app: app() } },
    notNeeded: [
      'watch',
      'pmx',
      'automation',
      'trace',
      'disable_trace',
      'v8',
      'event_loop_inspector',
      'deep_monitoring',
      'vizion',
      'filter_env',
    ].map((option) => `app.${option}`),
  },
  {
    title: 'probes of PM2, turned on',
    apps: [
      {
        script: 'app.js',
        trace: true,
        v8: true,
        event_loop_inspector: true,
        deep_monitoring: true,
        io: { apm: {} },
        pmx: true,
        automation: true,
      },
    ],
    config: { pools: { app: app() } },
    missing: ['app.trace', 'app.io'],
    differs: ['app.v8', 'app.event_loop_inspector', 'app.deep_monitoring'],
    notNeeded: ['app.pmx', 'app.automation'],
  },
  {
    title: 'what only PM2 has',
    apps: [
      {
        ...{ script: 'app.js', namespace: 'x', install_url: 'y', pid_file: 'z.pid', filter_env: ['SECRET'], post_update: ['npm ci'] },
        ...{
          execute_command: true,
          force: true,
          username: 'me',
          windowsHide: true,
          kill_retry_time: 1,
          write: true,
          vizion: true,
          color: 'red',
        },
      },
    ],
    config: { pools: { app: app() } },
    missing: ['app.namespace', 'app.pid_file', 'app.filter_env', 'app.post_update'],
    notNeeded: ['install_url', 'execute_command', 'force', 'username', 'windowsHide', 'kill_retry_time', 'write', 'vizion', 'color'].map(
      (option) => `app.${option}`,
    ),
  },
  {
    title: 'slots, users and folders',
    apps: [
      { name: 'slot', script: 'app.js', instance_var: 'NODE_APP_INSTANCE', user: 'www-data', gid: 33, disable_source_map_support: false },
      { name: 'counted', script: 'app.js', increment_var: 'SHARD' },
      { name: 'inside', script: 'main.js', cwd: 'inside', pid: 'x.pid' },
      { name: 'lost', script: 'nowhere.js' },
    ],
    files: { 'inside/main.js': 'x.listen(1)' },
    config: {
      pools: {
        slot: app({ uid: 'www-data', gid: 33 }),
        counted: app({ slotVariable: 'SHARD' }),
        inside: { app: './inside/main.js', cwd: './inside', workers: 1 },
        lost: { app: './nowhere.js', workers: 1 },
      },
    },
    missing: ['inside.pid'],
    differs: ['counted.increment_var', 'lost.script'],
  },
]

for (const { title, apps, files: more = {}, env, only, config, missing = [], differs = [], notNeeded = [] } of files) {
  test(title, async () => {
    const found = await imported(`module.exports = ${JSON.stringify({ apps })}`, { env, only }, 'ecosystem.config.js', more)
    assert.equal(found.config, config)
    assert.equal(
      [found.of('missing').sort(), found.of('differs').sort(), found.of('not needed').sort()],
      [[...missing].sort(), [...differs].sort(), [...notNeeded].sort()],
    )
    const said = found.findings.map(({ option }) => option)
    const written = apps
      .filter(({ name }) => only?.includes(name as string) !== false)
      .filter(({ name }) => !found.leftOut.includes(name as string))
    for (const option of written.flatMap((one) => Object.keys(one).filter((key) => one[key] !== null)))
      assert.ok(said.includes(option), `nothing is said of ${option}`)
    for (const { state, note } of found.findings) if (state !== 'same') assert.type(note, 'string')
  })
}

test('there are twenty files, and together they use every option', () => {
  assert.is(files.length, 20)
  const used = new Set(files.flatMap(({ apps }) => apps.flatMap((one) => [...readOptions(one).options.keys()])))
  assert.equal(
    [...SCHEMA_OPTIONS, ...DOCUMENTED_OPTIONS].filter((option) => !used.has(option)),
    [],
  )
})

test.run()
