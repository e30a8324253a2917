// The second half of own-files.ts.

import { app, type Own } from './own-file.ts'

export const moreOwnFiles: readonly Own[] = [
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
