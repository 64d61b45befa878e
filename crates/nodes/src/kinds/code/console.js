(write) => {
  const text = (value) => {
    if (typeof value === "string") return value;
    if (value instanceof Error) return value.stack ? `${value}\n${value.stack}`.trimEnd() : String(value);
    try {
      const json = JSON.stringify(value);
      return json === undefined ? String(value) : json;
    } catch {
      return String(value);
    }
  };
  const line = (stream) => (...values) => write(stream, values.map(text).join(" "));
  const out = line(1);
  const err = line(2);
  globalThis.console = { log: out, info: out, debug: out, warn: err, error: err, trace: err };
};
