"""What ordinary Qiniu Kodo documents about its errors; nothing of Qiniu's MIX service is in here."""
