#include "server/server_cluster_metrics.h"

static void write_lookups(struct prometheus *p, const struct named_cluster *cluster)
{
	struct prometheus_label labels[] = {{"name", cluster->name}, {"result", "success"}};
	prometheus_value(p, labels, 2, cluster->resolved);
	labels[1].value = "failure";
	prometheus_value(p, labels, 2, cluster->failed);
}

void server_cluster_metrics_write(const struct server_view *view, struct prometheus *p)
{
	const struct cluster_names *names = view->cluster_names;
	size_t count = names == NULL ? 0 : names->count;
	prometheus_family(p, "uturn_cluster_addresses", PROMETHEUS_GAUGE, "Addresses that a cluster's domain names stand for now.");
	for (size_t i = 0; i < count; i++)
		prometheus_value(
			p, &(struct prometheus_label){"name", names->list[i].name}, 1, named_cluster_addresses(&names->list[i]));
	prometheus_family(p, "uturn_cluster_lookups_total", PROMETHEUS_COUNTER, "Lookups of a cluster's domain names, by result.");
	for (size_t i = 0; i < count; i++)
		write_lookups(p, &names->list[i]);
	prometheus_family(p, "uturn_cluster_last_lookup_timestamp_seconds", PROMETHEUS_GAUGE,
		"When a lookup of a cluster's domain names last succeeded, in seconds since 1970; 0: never.");
	for (size_t i = 0; i < count; i++)
		prometheus_value(p, &(struct prometheus_label){"name", names->list[i].name}, 1, names->list[i].resolved_wall_s);
}
