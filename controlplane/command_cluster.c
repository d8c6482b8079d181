/* A cluster of one node that has all slots: cluster clients work, and scale out later. */
#include <string.h>

#include "controlplane/appliance.h"
#include "controlplane/command.h"
#include "controlplane/server_clients.h"
#include "dataplane/base/hash.h"

#define SLOT_COUNT 16384

struct node_address {
    char ip[64];
    uint16_t port;
};

/* Where this client reaches us: what it connected to; on the unix socket the TCP address. */
static struct node_address node_address_of(const struct command_call *call)
{
    struct node_address address = {0};
    if (call->session->local_ip[0] != '\0') {
        memcpy(address.ip, call->session->local_ip, sizeof(address.ip));
        address.port = call->session->local_port;
    } else {
        server_tcp_address(call->host->server, address.ip, sizeof(address.ip), &address.port);
    }
    return address;
}

void command_cluster_slots(struct command_call *call)
{
    struct node_address node = node_address_of(call);
    resp_write_array(call->reply, 1);
    resp_write_array(call->reply, 3);
    resp_write_integer(call->reply, 0);
    resp_write_integer(call->reply, SLOT_COUNT - 1);
    resp_write_array(call->reply, 4);
    resp_write_text(call->reply, node.ip);
    resp_write_integer(call->reply, node.port);
    resp_write_text(call->reply, call->host->appliance->run_id);
    resp_write_array(call->reply, 0);
}

void command_cluster_shards(struct command_call *call)
{
    struct resp_writer *reply = call->reply;
    struct node_address node = node_address_of(call);
    resp_write_array(reply, 1);
    resp_write_map(reply, 2);
    resp_write_text(reply, "slots");
    resp_write_array(reply, 2);
    resp_write_integer(reply, 0);
    resp_write_integer(reply, SLOT_COUNT - 1);
    resp_write_text(reply, "nodes");
    resp_write_array(reply, 1);
    resp_write_map(reply, 7);
    resp_write_text(reply, "id");
    resp_write_text(reply, call->host->appliance->run_id);
    resp_write_text(reply, "port");
    resp_write_integer(reply, node.port);
    resp_write_text(reply, "ip");
    resp_write_text(reply, node.ip);
    resp_write_text(reply, "endpoint");
    resp_write_text(reply, node.ip);
    resp_write_text(reply, "role");
    resp_write_text(reply, "master");
    resp_write_text(reply, "replication-offset");
    resp_write_integer(reply, 0);
    resp_write_text(reply, "health");
    resp_write_text(reply, "online");
}

void command_cluster_nodes(struct command_call *call)
{
    struct node_address node = node_address_of(call);
    struct buffer *text = &call->host->text;
    buffer_format(text, "%s %s:%u@0 myself,master - 0 0 1 connected 0-%d\n",
                  call->host->appliance->run_id, node.ip, node.port, SLOT_COUNT - 1);
    resp_write_verbatim(call->reply, text->data, text->size);
    buffer_deinit(text);
}

void command_cluster_info(struct command_call *call)
{
    static const char text[] = "cluster_enabled:1\r\n"
                               "cluster_state:ok\r\n"
                               "cluster_slots_assigned:16384\r\n"
                               "cluster_slots_ok:16384\r\n"
                               "cluster_slots_pfail:0\r\n"
                               "cluster_slots_fail:0\r\n"
                               "cluster_known_nodes:1\r\n"
                               "cluster_size:1\r\n"
                               "cluster_current_epoch:1\r\n"
                               "cluster_my_epoch:1\r\n";
    resp_write_verbatim(call->reply, text, sizeof(text) - 1);
}

void command_cluster_myid(struct command_call *call)
{
    resp_write_text(call->reply, call->host->appliance->run_id);
}

void command_cluster_keyslot(struct command_call *call)
{
    resp_write_integer(call->reply,
                       hash_redis_slot(call->argument[2].data, call->argument[2].size));
}
