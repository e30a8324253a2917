// Runs once, and ends.
console.log('the report of the day is written')
