# videostream behind Varnish (7 and later): copy to /etc/varnish/default.vcl. Many viewers cost the
# server one request for each segment, and get the segment that grows as it grows.
#
# On the same machine run
#
#     videostream --listen 127.0.0.1:8080 --publish-key KEY --trusted-proxy 127.0.0.1
#
# Varnish has a thread for each viewer of a segment that grows: see thread_pool_max in varnishd(1).
# What each line is for: docs/caches.md.

vcl 4.1;

backend origin {
    .host = "127.0.0.1";
    .port = "8080";
    # A request for the next segment waits at the server, for half a minute at most.
    .first_byte_timeout = 40s;
    .between_bytes_timeout = 40s;
}

sub vcl_recv {
    if (req.http.Upgrade ~ "(?i)websocket") {
        return (pipe);
    }
    # Pages, publishers and endless streams go through.
    if (req.method != "GET" && req.method != "HEAD") {
        return (pass);
    }
    if (req.url !~ "^/live/[^/?]+/(live\.json|live\.mpd|init-[0-9]+\.webm|[0-9]+\.webm)(\?|$)") {
        return (pass);
    }
    # What needs a key is for its holder alone: the server says so as well.
    if (req.http.Authorization || req.url ~ "[?&](key|token)=") {
        return (pass);
    }
    unset req.http.Cookie;
    return (hash);
}

sub vcl_pipe {
    if (req.http.Upgrade) {
        set bereq.http.Upgrade = req.http.Upgrade;
        set bereq.http.Connection = req.http.Connection;
    }
}

sub vcl_backend_response {
    # To all who ask, while it comes.
    set beresp.do_stream = true;
    if (beresp.status >= 400) {
        set beresp.ttl = 1s;
    }
    # Else a 404, or an old list, would be given out for ten seconds more.
    if (beresp.status >= 400 || bereq.url ~ "/live\.(json|mpd)") {
        set beresp.grace = 0s;
    }
    # For one client, which has too many requests: other clients' requests go to the server.
    if (beresp.status == 503 && beresp.http.Cache-Control ~ "no-store") {
        set beresp.ttl = 0s;
        return (deliver);
    }
}
