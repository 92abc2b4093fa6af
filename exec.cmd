@rem The npm scripts begin with exec, so that what npm is told reaches node and not a shell before it; cmd has no such word.
@%*
