"""When each alert fires and when it does not: series by the minute, as promtool's unit tests have them."""

# What a relay shows that is well; a case puts other values over it.
HEALTHY = {
    "uturn_ready": "1x90",
    "uturn_draining": "0x90",
    "uturn_shards": "2x90",
    "uturn_allocations": "100x90",
    "uturn_allocations_max": "1000x90",
    "uturn_connections_max": "1000x90",
    'uturn_connections{listener="tcp",protocol="tcp"}': "10x90",
    'uturn_connections{listener="tls",protocol="tls"}': "10x90",
    "uturn_allocations_refused_total": "0x90",
    "uturn_relay_open_failures_total": "0x90",
    "uturn_config_last_reload_successful": "1x90",
    "uturn_buffer_shortage_total": "0x90",
    "uturn_receive_truncated_total": "0x90",
    "uturn_mailbox_full_total": "0x90",
    "uturn_stream_dropped_packets_total": "0x90",
    'uturn_engine_info{engine="io_uring",reason="io_uring works"}': "1x90",
    'uturn_kernel_drops_total{socket="listener"}': "0+10x90",
    'uturn_send_drops_total{reason="full"}': "0+10x90",
    'uturn_send_drops_total{reason="unreachable"}': "0+6000x90",
    'uturn_packets_total{verdict="to_peer"}': "0+600000x90",
    'uturn_packets_total{verdict="keep_alive"}': "0+6000x90",
    'uturn_packets_total{verdict="drop_no_permission"}': "0+600x90",
    'uturn_packets_total{verdict="drop_peer_refused"}': "0+5x90",
    'uturn_packets_total{verdict="drop_unauth_limit"}': "0+5x90",
    'uturn_packets_total{verdict="drop_no_allocation"}': "0+60x90",
    'uturn_errors_total{code="401"}': "0+6000x90",
    'uturn_errors_total{code="403"}': "0+5x90",
    'uturn_errors_total{code="486"}': "0+1x90",
    'uturn_errors_total{code="508"}': "0x90",
    'uturn_auth_failures_total{cause="missing"}': "0+6000x90",
    'uturn_auth_failures_total{cause="integrity"}': "0+5x90",
    'uturn_auth_failures_total{cause="expired"}': "0+5x90",
    'uturn_connections_refused_total{reason="source"}': "0+60x90",
    'uturn_handshakes_failed_total{reason="closed"}': "0+60x90",
    'uturn_turn_seconds_bucket{le="0.0001"}': "0+6000x90",
    'uturn_turn_seconds_bucket{le="0.01"}': "0+6001x90",
    'uturn_turn_seconds_bucket{le="+Inf"}': "0+6001x90",
    "process_cpu_seconds_total": "0+48x90",
    "process_start_time_seconds": "1000x90",
    "process_open_fds": "200x90",
    "process_max_fds": "1000x90",
    # 30 days after the last minute.
    'uturn_certificate_expiry_timestamp_seconds{listener="tls",name="turn.example.com"}': f"{90 * 60 + 30 * 86400}x90",
}
CERTIFICATE = 'uturn_certificate_expiry_timestamp_seconds{listener="tls",name="turn.example.com"}'
GONE = None

# (the alerts that fire after 90 minutes, no others; the series that are not well).
CASES = [
    ([], {}),
    (["UturnKernelDrops"], {'uturn_kernel_drops_total{socket="listener"}': "0+120x90"}),
    (["UturnSendDrops"], {'uturn_send_drops_total{reason="full"}': "0+120x90"}),
    (["UturnBufferShortage"], {"uturn_buffer_shortage_total": "0+120x90"}),
    (["UturnStreamsDropPackets"], {"uturn_stream_dropped_packets_total": "0+6000x90"}),
    (["UturnRefusedPeers"], {'uturn_packets_total{verdict="drop_peer_refused"}': "0+120x90"}),
    (["UturnRefusedPeers"], {'uturn_errors_total{code="403"}': "0+120x90"}),
    (["UturnNoAllocationPackets"], {'uturn_packets_total{verdict="drop_no_allocation"}': "0+6000x90"}),
    (["UturnUnauthenticatedFlood"], {'uturn_packets_total{verdict="drop_unauth_limit"}': "0+6000x90"}),
    (["UturnFault"], {"uturn_receive_truncated_total": "0x85 1x4"}),
    (["UturnFault"], {"uturn_mailbox_full_total": "0x85 1x4"}),
    (["UturnAuthFailures"], {'uturn_auth_failures_total{cause="integrity"}': "0+120x90"}),
    (["UturnExpiredCredentials"], {'uturn_auth_failures_total{cause="expired"}': "0+120x90"}),
    (["UturnAllocationsRefused"], {"uturn_allocations_refused_total": "0x87 1x2"}),
    (["UturnInsufficientCapacity"], {'uturn_errors_total{code="508"}': "0x87 1x2"}),
    # A relay that drains answers 508, and means to.
    ([], {'uturn_errors_total{code="508"}': "0x87 1x2", "uturn_draining": "1x90", "uturn_allocations": "0x90"}),
    (["UturnQuotaReached"], {'uturn_errors_total{code="486"}': "0+60x90"}),
    (["UturnRelayPortsExhausted"], {"uturn_relay_open_failures_total": "0x87 1x2"}),
    (["UturnAllocationsNearLimit"], {"uturn_allocations": "801x90"}),
    (["UturnConnectionsNearLimit"], {'uturn_connections{listener="tcp",protocol="tcp"}': "700x90",
                                     'uturn_connections{listener="tls",protocol="tls"}': "101x90"}),
    # Without listeners of connections there is no limit, and no division by it.
    ([], {"uturn_connections_max": "0x90", 'uturn_connections{listener="tcp",protocol="tcp"}': GONE,
          'uturn_connections{listener="tls",protocol="tls"}': GONE}),
    (["UturnConnectionsRefused"], {'uturn_connections_refused_total{reason="memory"}': "0+60x90"}),
    (["UturnHandshakesFail"], {'uturn_handshakes_failed_total{reason="alert"}': "0+60x90"}),
    (["UturnCoresSaturated"], {"process_cpu_seconds_total": "0+108x90"}),
    (["UturnSlow"], {'uturn_turn_seconds_bucket{le="0.0001"}': "0+3000x90"}),
    (["UturnDescriptorsNearLimit"], {"process_open_fds": "901x90"}),
    (["UturnEpollFallback"], {'uturn_engine_info{engine="io_uring",reason="io_uring works"}': GONE,
                              'uturn_engine_info{engine="epoll",reason="io_uring_setup: Operation not permitted"}': "1x90"}),
    (["UturnCertificateExpires"], {CERTIFICATE: f"{90 * 60 + 13 * 86400}x90"}),
    (["UturnCertificateExpires", "UturnCertificateExpired"], {CERTIFICATE: f"{89 * 60}x90"}),
    (["UturnReloadFailed"], {"uturn_config_last_reload_successful": "1x80 0x9"}),
    (["UturnNotReady"], {"uturn_ready": "1x80 0x9"}),
    (["UturnMissing"], {"uturn_ready": GONE}),
    (["UturnDrainsLong"], {"uturn_draining": "1x90"}),
    (["UturnRestarts"], {"process_start_time_seconds": "1000x80 1001 1002 1003x7"}),
]  # fmt: skip


def named(series):
    """With the labels that a scrape adds."""
    name, _, matchers = series.partition("{")
    return f'{name}{{namespace="media",pod="stunner-0",instance="10.244.0.5:8080"{"," if matchers else ""}{matchers or "}"}'


def document():
    """The file for `promtool test rules`."""
    tests = []
    for fires, changes in CASES:
        series = {name: values for name, values in (HEALTHY | changes).items() if values is not GONE}
        samples = [{"labels": f'{{alertname="{alert}"}}', "value": 1} for alert in sorted(fires)]
        tests.append({
            "interval": "1m",
            "input_series": [{"series": named(name), "values": values} for name, values in series.items()],
            "promql_expr_test": [
                {"expr": 'group by (alertname) (ALERTS{alertstate="firing"})', "eval_time": "90m", "exp_samples": samples},
            ],
        })  # fmt: skip
    return {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": tests}


def tested():
    return {alert for fires, _ in CASES for alert in fires}
