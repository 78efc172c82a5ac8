"""How true an emulator is: errors that ordinary requests provoke, compared with the catalogue.

A service is asked over HTTP for what a client can get wrong (a missing key, a wrong digest, parts out of order). Its answers
are compared with the documented rows: status, code, envelope, headers. All happens in buckets of its own making.
"""
