-- What wrk has seen, as one line of JSON. It only defines `done`: requests stay as wrk makes them by itself.

function done(summary)
  local errors = summary.errors
  print(string.format(
    'report: {"requests":%d,"seconds":%.6f,"faults":{"answers of 400 and above":%d,"connect errors":%d,"read errors":%d,"write errors":%d,"timeouts":%d}}',
    summary.requests, summary.duration / 1e6, errors.status, errors.connect, errors.read, errors.write, errors.timeout
  ))
end
