// The options of PM2's published schema, by name.

export const SCHEMA_OPTIONS = [
  ...[
    'script',
    'name',
    'name_prefix',
    'filter_env',
    'namespace',
    'install_url',
    'cwd',
    'args',
    'exec_interpreter',
    'node_args',
    'out_file',
  ],
  ...['error_file', 'log_file', 'disable_logs', 'log_type', 'log_date_format', 'time', 'env', 'max_memory_restart', 'pid_file'],
  ...['restart_delay', 'exp_backoff_restart_delay', 'source_map_support', 'disable_source_map_support', 'wait_ready', 'instances'],
  ...['kill_timeout', 'shutdown_with_message', 'listen_timeout', 'cron_restart', 'merge_logs', 'vizion', 'autorestart', 'watch_delay'],
  ...[
    'watch',
    'ignore_watch',
    'watch_options',
    'min_uptime',
    'max_restarts',
    'execute_command',
    'exec_mode',
    'force',
    'append_env_to_name',
  ],
  ...['post_update', 'trace', 'disable_trace', 'v8', 'event_loop_inspector', 'deep_monitoring', 'increment_var', 'instance_var', 'pmx'],
  ...['automation', 'treekill', 'port', 'username', 'uid', 'gid', 'windowsHide', 'kill_retry_time', 'write', 'io'],
]

/** Those that the documentation has besides. */
export const DOCUMENTED_OPTIONS = ['autostart', 'stop_exit_codes']
