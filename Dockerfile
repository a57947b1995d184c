FROM python:3.13-slim

WORKDIR /app
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 HOST=0.0.0.0 PORT=8000 INSTANCE_PATH=/data

COPY requirements.txt .
RUN pip install --no-cache-dir uv && uv pip install --system --no-cache --compile-bytecode --require-hashes -r requirements.txt

COPY . .
RUN python -m compileall -q referralhub wsgi.py
RUN useradd --system --uid 10001 referralhub && mkdir /data && chown referralhub /data
USER referralhub
VOLUME /data
EXPOSE 8000
HEALTHCHECK CMD ["python", "-c", "import os, urllib.request as u; u.build_opener(u.ProxyHandler({})).open(f'http://127.0.0.1:{os.environ[\"PORT\"]}/readyz')"]

CMD ["python", "-m", "referralhub.launch"]
