"""A guest book that was written long before anybody thought of faults."""

from flask import Flask, jsonify, request

app = Flask(__name__)
entries: list[str] = []


@app.get("/entries")
def read():
    return jsonify(entries)


@app.post("/entries")
def write():
    entries.append(request.get_data(as_text=True))
    return jsonify(entries), 201
