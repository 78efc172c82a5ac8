"""Documented errors of ordinary Qiniu Kodo, without Qiniu's MIX service."""
