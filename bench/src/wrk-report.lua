-- Reports what wrk measured, as one line of JSON. It only defines `done`: requests stay as wrk makes them by itself. Latencies are in
-- microseconds.

function done(summary, latency)
  local errors = summary.errors
  print(string.format(
    'report: {"requests":%d,"seconds":%.6f,"p99Ms":%.3f,"faults":{"answers of 400 and above":%d,"connect errors":%d,"read errors":%d,"write errors":%d,"timeouts":%d}}',
    summary.requests, summary.duration / 1e6, latency:percentile(99) / 1e3, errors.status, errors.connect, errors.read, errors.write, errors.timeout
  ))
end
