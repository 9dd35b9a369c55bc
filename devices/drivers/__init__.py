"""Pure parsers, one module a profile: bytes in, readings out. They know no radio, no broker and no clinic."""
