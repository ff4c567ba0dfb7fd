"""The tables that the lint holds the tree against. A line added here is a decision: say why beside it."""

# Which headers of which layers a layer may include (docs/ARCHITECTURE.md, "Layers").
LAYERS = {
    "base": {"base"},
    "wire": {"base", "wire"},
    "crypto": {"base", "wire", "crypto"},
    "client": {"base", "wire", "crypto", "client"},
    "tls": {"base", "wire", "crypto", "tls"},
    "turn": {"base", "wire", "crypto", "turn"},
    "io": {"base", "io"},
    "shard": {"base", "wire", "crypto", "tls", "turn", "io", "shard"},
    "ops": {"base", "ops"},
    "kubernetes": {"base", "kubernetes"},
    "server": {"base", "wire", "crypto", "tls", "turn", "io", "shard", "ops", "kubernetes", "server"},
    # io for the making of its listening sockets; its packets go through `client`.
    "turncat": {"base", "wire", "crypto", "client", "io", "turncat"},
}

# The folders of bench/, lowest first (bench/README.md, "How it is built"): each may include headers of its own and of those before it.
BENCH_LAYERS = ("measure", "clients", "load", "capture", "trials", "report", "compare", "cli")

# Headers of other people's libraries: who may include them. Paths are prefixes.
THIRD_PARTY = {
    "liburing": ("src/io/", "tests/io/"),
    "linux/io_uring.h": ("src/io/", "tests/io/"),
    "mbedtls/": ("src/crypto/", "tests/tls/"),
    "openssl/": ("src/tls/", "src/kubernetes/kube_api.c", "tests/tls/", "tests/fuzz/", "src/client/", "bench/clients/", "tests/bench/"),
    "jansson.h": (
        "src/server/config_json.c", "src/server/server_status.c", "src/kubernetes/kube_objects.c", "src/turncat/cds_config.c", "tests/server/",
        "bench/", "tests/bench/",
    ),
    "yaml.h": ("src/server/config_yaml.c",),
    # It has types of its own for everything, and logs by itself: both end in one file.
    "libwebsockets.h": ("src/server/cds_client.c",),
    "pcap": ("bench/capture/", "tests/bench/capture/", "tests/fuzz/"),
    "ares.h": ("src/server/resolver.c",),
    "event2/": (
        "include/ops/", "src/ops/", "include/server/resolver.h", "src/server/", "src/kubernetes/kube_api.c", "src/turncat/", "tests/ops/",
        "tests/server/",
    ),
    "criterion/": ("tests/",),
    "seccomp.h": ("src/server/lockdown_calls.c", "tests/"),
}

# <...> headers that are neither in THIRD_PARTY nor here are new dependencies.
SYSTEM_HEADERS = (
    "arpa/ asm/ linux/ net/ netinet/ sys/ argp.h assert.h ctype.h dirent.h dlfcn.h endian.h errno.h fcntl.h float.h ftw.h getopt.h ifaddrs.h inttypes.h "
    "libgen.h limits.h locale.h malloc.h math.h netdb.h poll.h pthread.h regex.h sched.h semaphore.h setjmp.h signal.h spawn.h stdalign.h stdarg.h stdatomic.h "
    "stdbool.h stddef.h stdint.h stdio.h stdlib.h stdnoreturn.h string.h strings.h syslog.h time.h unistd.h wordexp.h"
).split()

# Things that may be done in one place only, in src/ and include/: pattern, what it is, where. Paths are prefixes. A call of a member
# (hooks.random(…)) is not meant: the patterns are looked for where no '.' or '->' stands before.
ONLY_HERE = [
    (r"\b(?:clock_gettime|gettimeofday|time|clock)\s*\(", "reading the clock", ("src/base/clock.c",)),
    (r"\b(?:socket|bind|socketpair)\s*\(", "making or binding a socket", ("src/io/udp_socket.c", "src/io/tcp_socket.c", "src/ops/http", "src/turncat/sockets.c")),
    (r"\b(?:secure_)?getenv\s*\(|\benviron\b", "reading the environment", ("src/server/config_env.c", "src/turncat/environment.c")),
    (r"\b(?:getrandom|getentropy|random|rand|srand|drand48)\s*\(", "randomness", ("src/crypto/random.c",)),
    (
        r"\b(?:v?printf|puts|putchar|perror|v?syslog)\s*\(|\b(?:v?fprintf|fputs|fputc)\s*\([^;]*\bstd(?:out|err)\b|\bSTD(?:OUT|ERR)_FILENO\b",
        "writing to standard output or error",
        ("src/base/log.c", "src/server/options.c", "src/server/main.c", "src/turncat/options.c", "src/turncat/turncat.c", "src/turncat/local_stdio.c"),
    ),
    (r"\bfork\s*\(|\bsystem\s*\(|\bpopen\s*\(|\bexec[vl]\w*\s*\(", "starting a process", ()),
    (r"\b(?:strcat|sprintf|vsprintf|gets|alloca|strtok|atoi|atol)\s*\(", "an unsafe function", ()),
    (r"\bpthread_create\s*\(", "starting a thread", ("src/shard/", "src/ops/", "src/server/")),
    (r"\bio_uring_get_sqe\s*\(", "taking a submission entry", ("src/io/",)),
]

# The packet path: besides files whose opening comment says HOT. Prefixes under src/.
HOT_FILES = ("shard/from_client", "shard/from_peer", "turn/relay.c", "io/train.c", "wire/send_indication.c")
# What is made before the first packet may allocate.
HOT_EXEMPT_FUNCTIONS = ("_create", "_free", "_init", "_done", "_open", "_close")
HOT_FORBIDDEN = [
    (r"\b(?:malloc|calloc|realloc|reallocarray|strdup|strndup|asprintf|posix_memalign|aligned_alloc|free|mmap|munmap)\s*\(", "heap"),
    (r"\bpthread_(?:mutex|rwlock|spin|cond)_\w+\s*\(", "lock"),
    (r"\blog_(?:write|error|warn|info|debug)\s*\(", "log line"),
]

FILE_LINES_MAX = 500
FUNCTION_LINES_MAX = 70
HOT_FUNCTION_LINES_MAX = 40
COLUMNS_MAX = 132
TAB_COLUMNS = 8
