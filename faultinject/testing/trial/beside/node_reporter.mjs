// A reporter of Node's test runner: it tells `faultinject trial` how each test has ended.
import { connect } from 'node:net';
import { relative } from 'node:path';

export default async function* report(source) {
  const [host, port] = process.env.TRIED_SUITE.split(':');
  const trial = connect(Number(port), host);
  trial.resume();
  const names = [];
  const ended = new Map(); // by place: "pass" and "fail" come in the order of the files, "complete" when it is so
  const place = ({ file, line, column, name }) => `${file}:${line}:${column}:${name}`;
  for await (const { type, data } of source) {
    if (type === 'test:complete') ended.set(place(data), Date.now() / 1000);
    if (type === 'test:start') names[data.nesting] = data.name;
    if (type !== 'test:pass' && type !== 'test:fail') continue;
    names.length = data.nesting + 1;
    if (data.details.type === 'suite' && type === 'test:pass') continue;
    const error = data.details.error;
    trial.write(`${JSON.stringify({
      test: [relative('', data.file ?? ''), ...names].filter((each, at, all) => each !== all[at - 1]).join(' > '),
      outcome: data.skip !== undefined || data.todo !== undefined ? 'skipped' : type.slice(5) === 'pass' ? 'passed' : 'failed',
      said: String(error?.cause?.message ?? error?.message ?? ''),
      seconds: data.details.duration_ms / 1000,
      ended: ended.get(place(data)),
    })}\n`);
  }
  await new Promise((done) => trial.end(done));
}
