package main

/*
#include "link.h"
*/
import "C"

import (
	"context"
	"math"
	"sync"
	"time"
	"unsafe"

	"aimrtrpc/capi/internal/handle"
	"aimrtrpc/internal/guard"
	"aimrtrpc/runtime/core"
)

// Limits of what a host may ask of one connection.
const maxCloseCallbacks = 64

// routerObjects, listenerObjects and linkObjects hold what hosts made, by the id that C knows.
var (
	routerObjects   handle.Table[*routerObject]
	listenerObjects handle.Table[*listenerObject]
	linkObjects     handle.Table[*linkObject]
)

// routerObject is a router with its module.
type routerObject struct {
	module *moduleObject
	core   *core.Router
}

// listenerObject is a listener with what its callback needs.
type listenerObject struct {
	module    *moduleObject
	core      *core.Listener
	connected C.aimrt_rpc_connected_fn
	userData  C.uintptr_t
	free      C.aimrt_rpc_free_fn
}

// release gives the user data back; connected comes no more.
func (l *listenerObject) release() {
	if l.free != nil {
		C.link_free(l.free, l.userData)
	}
}

// linkObject is a connection that the host has a reference to.
type linkObject struct {
	module *moduleObject
	core   *core.Connection
	id     uint64
	handle C.aimrt_rpc_connection_t

	// The following belong to hostLinks.mu.
	refs      int
	dialled   bool
	callbacks int
	methods   map[string]*clientMethod
}

// methodKey is what a method's C object is made of.
type methodKey struct {
	module              uint64
	path, serialization string
}

// hostLinks is what hosts of one runtime have of connections. The zero value is ready to use.
type hostLinks struct {
	mu      sync.Mutex // guards what follows
	links   map[*core.Connection]*linkObject
	idle    map[methodKey][]*C.front_method // of connections that are gone
	handles map[uint64]uint32               // routers and listeners: handle to kind
}

// take gives the object of a connection with one more reference; it makes the handle when there is none.
func (h *hostLinks) take(m *moduleObject, c *core.Connection, dialled bool) (*linkObject, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	o, ok := h.links[c]
	if !ok {
		o = &linkObject{module: m, core: c, methods: map[string]*clientMethod{}}
		o.id = linkObjects.Add(o)
		o.handle = C.front_connection_publish(C.uint64_t(o.id))
		if o.handle == 0 {
			linkObjects.Take(o.id)
			return nil, failf(C.AIMRT_RPC_RESULT_LIMIT, "no handle is left for a connection")
		}
		if h.links == nil {
			h.links = map[*core.Connection]*linkObject{}
		}
		h.links[c] = o
	}
	o.refs++
	o.dialled = o.dialled || dialled
	return o, nil
}

// retain is false when the last reference is gone.
func (h *hostLinks) retain(o *linkObject) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if o.refs == 0 {
		return false
	}
	o.refs++
	return true
}

// release gives a reference back. With the last one the handles of the connection and its methods go, and a connection that was dialled is
// closed.
func (h *hostLinks) release(o *linkObject) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if o.refs == 0 {
		return
	}
	if o.refs--; o.refs > 0 {
		return
	}
	delete(h.links, o.core)
	linkObjects.Take(o.id)
	C.front_connection_withdraw(o.handle)
	if h.idle == nil {
		h.idle = map[methodKey][]*C.front_method{}
	}
	for _, m := range o.methods {
		clientMethods.Take(m.id)
		C.front_method_retire(m.front)
	}
	if len(o.methods) > 0 {
		C.front_method_retired()
	}
	for path, m := range o.methods {
		key := o.key(path)
		h.idle[key] = append(h.idle[key], m.front)
	}
	if o.dialled {
		o.close()
	}
}

func (o *linkObject) key(path string) methodKey {
	return methodKey{o.module.id, path, o.core.Serialization()}
}

// close ends the connection on another goroutine: the caller may be in a callback of this connection.
func (o *linkObject) close() {
	guard.Go("capi: close connection", func() { _ = o.core.Close() })
}

// free makes all handles stale; the runtime has shut down, and nobody is inside.
func (h *hostLinks) free() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, o := range h.links {
		linkObjects.Take(o.id)
		C.front_connection_withdraw(o.handle)
		for _, m := range o.methods {
			clientMethods.Take(m.id)
		}
		o.refs = 0
	}
	for made, kind := range h.handles {
		id := uint64(C.front_link_drop(C.uint32_t(kind), C.uint64_t(made)))
		if kind == C.AIMRT_RPC_KIND_ROUTER {
			routerObjects.Take(id)
		} else if l, ok := listenerObjects.Take(id); ok {
			l.release()
		}
	}
	h.links, h.idle, h.handles = nil, nil, nil
}

// publish makes the handle of a router or a listener.
func (h *hostLinks) publish(kind uint32, id uint64, noun string) (C.uint64_t, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	made := C.front_link_handle_new(C.uint32_t(kind), C.uint64_t(id))
	if made == 0 {
		return 0, failf(C.AIMRT_RPC_RESULT_LIMIT, "no handle is left for a %s", noun)
	}
	if h.handles == nil {
		h.handles = map[uint64]uint32{}
	}
	h.handles[uint64(made)] = kind
	return made, nil
}

// drop makes the handle of a router or a listener stale and gives its id once.
func (h *hostLinks) drop(kind uint32, made uint64) uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.handles, made)
	return uint64(C.front_link_drop(C.uint32_t(kind), C.uint64_t(made)))
}

// method gives the method at a path of the peer.
func (h *hostLinks) method(o *linkObject, path string) (C.aimrt_rpc_method_t, error) {
	client, err := o.core.Method(core.ClientOptions{Name: path})
	if err != nil {
		return 0, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if m, ok := o.methods[path]; ok {
		return C.front_method_handle(m.front), nil
	}
	if o.refs == 0 {
		return 0, stale("connection", uint64(o.handle))
	}
	m := &clientMethod{client: client}
	m.id = clientMethods.Add(m)
	made := h.front(o, path, m)
	if made == 0 {
		clientMethods.Take(m.id)
		return 0, failf(C.AIMRT_RPC_RESULT_OUT_OF_MEMORY, "no memory or handle is left for the method at %q", path)
	}
	o.methods[path] = m
	return made, nil
}

// front gives a method its C object, one that is idle when there is one; 0 when that fails.
func (h *hostLinks) front(o *linkObject, path string, m *clientMethod) C.aimrt_rpc_method_t {
	key := o.key(path)
	idle := h.idle[key]
	if len(idle) > 0 {
		m.front = idle[len(idle)-1]
		if !m.publishLink() {
			return 0
		}
		made := C.front_method_revive(m.front)
		if made == 0 {
			return 0
		}
		h.idle[key] = idle[:len(idle)-1]
		return made
	}
	m.front = C.front_link_method(o.module.front, C.uint64_t(m.id), chars(path), C.size_t(len(path)), chars(key.serialization),
		C.size_t(len(key.serialization)))
	if m.front == nil {
		return 0
	}
	made := C.front_method_handle(m.front)
	if !m.publishLink() {
		C.front_method_retire(m.front)
		h.idle[key] = append(idle, m.front)
		return 0
	}
	return made
}

// publishLink lets calls of the method come to Go. The core decides there whether they can go out, so nothing is published later.
func (m *clientMethod) publishLink() bool {
	e := C.front_entry_init{kind: C.FRONT_ENTRY_ENGINE, engine_id: C.uint64_t(m.id)}
	var b block
	e.backend_size = b.add(linkBackend)
	return C.front_method_publish(m.front, &e, b.start()) != 0
}

// linkBackend is what contexts show as the backend until a call has its outcome.
const linkBackend = "aiomas"

// onRouter is result for the functions of a router.
func onRouter(place string, h C.aimrt_rpc_router_t, errorOut *C.aimrt_rpc_error_t, work func(r *routerObject) error) C.aimrt_rpc_result_t {
	return result(place, errorOut, func() error {
		r, ok := routerObjects.Get(uint64(C.front_link_find(C.AIMRT_RPC_KIND_ROUTER, C.uint64_t(h))))
		if !ok || !r.module.runtime.users.enter() {
			return stale("router", uint64(h))
		}
		defer r.module.runtime.users.leave()
		return work(r)
	})
}

// onLink is result for the functions of a connection with a socket.
func onLink(place string, h C.aimrt_rpc_connection_t, errorOut *C.aimrt_rpc_error_t, work func(o *linkObject) error) C.aimrt_rpc_result_t {
	return result(place, errorOut, func() error {
		id := uint64(C.front_connection_owner(h))
		if id == C.FRONT_CONNECTION_HOSTED {
			return failf(C.AIMRT_RPC_RESULT_UNSUPPORTED, "the host moves the bytes of connection %#x: it has no socket and no methods", uint64(h))
		}
		o, ok := linkObjects.Get(id)
		if !ok || !o.module.runtime.users.enter() {
			return stale("connection", uint64(h))
		}
		defer o.module.runtime.users.leave()
		return work(o)
	})
}

//export aimrtgo_router_create
func aimrtgo_router_create(h C.aimrt_rpc_handle_t, out *C.aimrt_rpc_router_t, errorOut *C.aimrt_rpc_error_t) C.aimrt_rpc_result_t {
	return onHandle("router_create", h, errorOut, func(m *moduleObject) error {
		id := routerObjects.Add(&routerObject{module: m, core: m.core.NewRouter()})
		made, err := m.runtime.links.publish(C.AIMRT_RPC_KIND_ROUTER, id, "router")
		if err != nil {
			routerObjects.Take(id)
		}
		*out = C.aimrt_rpc_router_t(made)
		return err
	})
}

//export aimrtgo_router_register
func aimrtgo_router_register(h C.aimrt_rpc_router_t, o *C.aimrt_rpc_service_options_t, out *C.aimrt_rpc_service_t, errorOut *C.aimrt_rpc_error_t) C.aimrt_rpc_result_t {
	return onRouter("router_register", h, errorOut, func(r *routerObject) error {
		if err := checked(func(e *C.aimrt_rpc_error_t) C.aimrt_rpc_result_t { return C.front_service_options_check(o, e) }); err != nil {
			return err
		}
		s, err := r.module.registerService(o, r.core.Add)
		if err == nil && out != nil {
			*out = C.front_service_handle(s.front)
		}
		return err
	})
}

//export aimrtgo_router_remove
func aimrtgo_router_remove(h C.aimrt_rpc_router_t, path C.aimrt_rpc_str_t, errorOut *C.aimrt_rpc_error_t) C.aimrt_rpc_result_t {
	return onRouter("router_remove", h, errorOut, func(r *routerObject) error { return r.core.Remove(text(&path)) })
}

//export aimrtgo_router_attach
func aimrtgo_router_attach(h C.aimrt_rpc_router_t, path C.aimrt_rpc_str_t, sub C.aimrt_rpc_router_t, errorOut *C.aimrt_rpc_error_t) C.aimrt_rpc_result_t {
	return onRouter("router_attach", h, errorOut, func(r *routerObject) error {
		below, ok := routerObjects.Get(uint64(C.front_link_find(C.AIMRT_RPC_KIND_ROUTER, C.uint64_t(sub))))
		switch {
		case !ok:
			return stale("router", uint64(sub))
		case below.module.runtime != r.module.runtime:
			return failf(C.AIMRT_RPC_RESULT_INVALID_ARGUMENT, "the two routers are of different runtimes")
		}
		return r.core.Attach(text(&path), below.core)
	})
}

//export aimrtgo_router_release
func aimrtgo_router_release(h C.aimrt_rpc_router_t) {
	quiet("router_release", func() {
		r, ok := routerObjects.Get(uint64(C.front_link_find(C.AIMRT_RPC_KIND_ROUTER, C.uint64_t(h))))
		if !ok || !r.module.runtime.users.enter() {
			return
		}
		defer r.module.runtime.users.leave()
		routerObjects.Take(r.module.runtime.links.drop(C.AIMRT_RPC_KIND_ROUTER, uint64(h)))
	})
}

// linkCodecs are the core's names of the header's codecs.
var linkCodecs = [...]string{
	C.AIMRT_RPC_CONNECTION_CODEC_JSON:          "json",
	C.AIMRT_RPC_CONNECTION_CODEC_MSGPACK:       "msgpack",
	C.AIMRT_RPC_CONNECTION_CODEC_MSGPACK_BLOSC: "msgpack_blosc",
}

// connectionOptions decodes what dial and listen have in common.
func connectionOptions(o *C.aimrt_rpc_connection_options_t, flags uint32) (core.ConnectionOptions, error) {
	var none core.ConnectionOptions
	switch {
	case uint32(o.flags)&^flags != 0:
		return none, failf(C.AIMRT_RPC_RESULT_INVALID_ARGUMENT, "flags is %#x, only %#x can be used here", uint32(o.flags), flags)
	case o.codec == C.AIMRT_RPC_CONNECTION_CODEC_OPAQUE:
		return none, failf(C.AIMRT_RPC_RESULT_UNSUPPORTED, "codec is opaque: only a connection whose bytes the host moves can have it")
	case int(o.codec) >= len(linkCodecs):
		return none, failf(C.AIMRT_RPC_RESULT_INVALID_ARGUMENT, "codec is %d, expected 0 (JSON), 1 (MsgPack) or 2 (MsgPackBlosc)", uint32(o.codec))
	case o.allowed_peers == nil && o.allowed_peer_count > 0:
		return none, failf(C.AIMRT_RPC_RESULT_INVALID_ARGUMENT, "allowed_peer_count is %d and allowed_peers is NULL", uint64(o.allowed_peer_count))
	}
	out := core.ConnectionOptions{
		Address: text(&o.address), Dialect: text(&o.dialect), Codec: linkCodecs[o.codec], AllowedPeers: texts(o.allowed_peers, o.allowed_peer_count),
		Token: text(&o.token), ReferenceType: uint64(o.reference_type), FailureArray: o.flags&C.AIMRT_RPC_CONNECTION_FAILURE_ARRAY != 0,
		MaxFrameBytes: int(o.max_frame_size), MaxDepth: int(o.max_depth), MaxPending: int(o.max_pending_count),
		MaxPendingBytes: int(min(o.max_pending_size, math.MaxInt64)), MaxOpen: int(o.max_open_count),
	}
	tls := core.TLSFiles{CA: text(&o.tls_ca), Certificate: text(&o.tls_certificate), Key: text(&o.tls_key)}
	if tls != (core.TLSFiles{}) {
		tls.ServerName = text(&o.tls_server_name)
		out.TLS = &tls
	}
	if o.router != 0 {
		r, ok := routerObjects.Get(uint64(C.front_link_find(C.AIMRT_RPC_KIND_ROUTER, C.uint64_t(o.router))))
		if !ok {
			return none, stale("router", uint64(o.router))
		}
		out.Router = r.core
	}
	return out, nil
}

//export aimrtgo_handle_dial
func aimrtgo_handle_dial(h C.aimrt_rpc_handle_t, o *C.aimrt_rpc_connection_options_t, out *C.aimrt_rpc_connection_t, errorOut *C.aimrt_rpc_error_t) C.aimrt_rpc_result_t {
	return onHandle("handle_dial", h, errorOut, func(m *moduleObject) error {
		common, err := connectionOptions(o, C.AIMRT_RPC_CONNECTION_RECONNECT|C.AIMRT_RPC_CONNECTION_FAILURE_ARRAY)
		if err != nil {
			return err
		}
		dial := core.DialOptions{ConnectionOptions: common, Reconnect: o.flags&C.AIMRT_RPC_CONNECTION_RECONNECT != 0, Timeout: -1}
		if o.timeout_ns != math.MaxUint64 {
			dial.Timeout = time.Duration(min(uint64(o.timeout_ns), math.MaxInt64))
		}
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		guard.Go("capi: end of a dial", func() { // the release of the runtime waits for this thread
			select {
			case <-ctx.Done():
			case <-m.runtime.core.Done():
				cancel()
			}
		})
		c, err := m.core.Dial(ctx, dial)
		if err != nil {
			return err
		}
		link, err := m.runtime.links.take(m, c, true)
		if err != nil {
			_ = c.Close()
			return err
		}
		*out = link.handle
		return nil
	})
}

//export aimrtgo_handle_listen
func aimrtgo_handle_listen(h C.aimrt_rpc_handle_t, o *C.aimrt_rpc_connection_options_t, out *C.aimrt_rpc_listener_t, errorOut *C.aimrt_rpc_error_t) C.aimrt_rpc_result_t {
	return onHandle("handle_listen", h, errorOut, func(m *moduleObject) error {
		common, err := connectionOptions(o, C.AIMRT_RPC_CONNECTION_FAILURE_ARRAY)
		if err != nil {
			return err
		}
		l := &listenerObject{module: m, connected: o.connected, userData: word(unsafe.Pointer(&o.user_data))}
		listen := core.ListenOptions{ConnectionOptions: common, MaxConnections: int(o.max_connection_count)}
		if l.connected != nil {
			listen.Connected = func(c *core.Connection) { m.connected(l, c) }
		}
		if l.core, err = m.core.Listen(listen); err != nil {
			return err
		}
		id := listenerObjects.Add(l)
		made, err := m.runtime.links.publish(C.AIMRT_RPC_KIND_LISTENER, id, "listener")
		if err != nil {
			listenerObjects.Take(id)
			l.core.Close()
			return err
		}
		l.free = o.user_data_free
		*out = C.aimrt_rpc_listener_t(made)
		return nil
	})
}

// connected tells the host of an accepted connection.
func (m *moduleObject) connected(l *listenerObject, c *core.Connection) {
	if !m.runtime.users.enter() {
		return
	}
	defer m.runtime.users.leave()
	link, err := m.runtime.links.take(m, c, false)
	if err != nil {
		m.runtime.logger().Warn("a connection is not shown to the host", "peer", c.Peer().String(), "reason", err.Error())
		return
	}
	defer m.runtime.links.release(link)
	C.link_connected(l.connected, l.userData, link.handle)
}

// findListener gives the object of a listener's handle with its runtime entered.
func findListener(h C.aimrt_rpc_listener_t) (*listenerObject, error) {
	l, ok := listenerObjects.Get(uint64(C.front_link_find(C.AIMRT_RPC_KIND_LISTENER, C.uint64_t(h))))
	if !ok || !l.module.runtime.users.enter() {
		return nil, stale("listener", uint64(h))
	}
	return l, nil
}

//export aimrtgo_listener_address
func aimrtgo_listener_address(h C.aimrt_rpc_listener_t, out *C.aimrt_rpc_buffer_t, errorOut *C.aimrt_rpc_error_t) C.aimrt_rpc_result_t {
	return result("listener_address", errorOut, func() error {
		l, err := findListener(h)
		if err != nil {
			return err
		}
		defer l.module.runtime.users.leave()
		return buffer(out, []byte(l.core.Address()))
	})
}

//export aimrtgo_listener_release
func aimrtgo_listener_release(h C.aimrt_rpc_listener_t) {
	quiet("listener_release", func() {
		l, err := findListener(h)
		if err != nil {
			return
		}
		defer l.module.runtime.users.leave()
		id := l.module.runtime.links.drop(C.AIMRT_RPC_KIND_LISTENER, uint64(h))
		if _, ok := listenerObjects.Take(id); !ok {
			return
		}
		l.core.Close()
		l.release()
	})
}

//export aimrtgo_connection_method
func aimrtgo_connection_method(h C.aimrt_rpc_connection_t, path C.aimrt_rpc_str_t, out *C.aimrt_rpc_method_t, errorOut *C.aimrt_rpc_error_t) C.aimrt_rpc_result_t {
	return onLink("connection_method", h, errorOut, func(o *linkObject) error {
		made, err := o.module.runtime.links.method(o, text(&path))
		*out = made
		return err
	})
}

//export aimrtgo_connection_encoding
func aimrtgo_connection_encoding(h C.aimrt_rpc_connection_t, out *C.uint32_t, errorOut *C.aimrt_rpc_error_t) C.aimrt_rpc_result_t {
	return onLink("connection_encoding", h, errorOut, func(o *linkObject) error {
		*out = C.AIMRT_RPC_CONNECTION_CODEC_JSON
		if o.core.Serialization() != linkCodecs[C.AIMRT_RPC_CONNECTION_CODEC_JSON] {
			*out = C.AIMRT_RPC_CONNECTION_CODEC_MSGPACK
		}
		return nil
	})
}

//export aimrtgo_connection_peer
func aimrtgo_connection_peer(h C.aimrt_rpc_connection_t, peerOut, identityOut *C.aimrt_rpc_buffer_t, errorOut *C.aimrt_rpc_error_t) C.aimrt_rpc_result_t {
	return onLink("connection_peer", h, errorOut, func(o *linkObject) error {
		peer := o.core.Peer()
		if identityOut != nil {
			if err := buffer(identityOut, []byte(peer.Identity)); err != nil {
				return err
			}
		}
		err := buffer(peerOut, []byte(peer.String()))
		if err != nil && identityOut != nil {
			C.aimrt_rpc_buffer_release(identityOut)
		}
		return err
	})
}

//export aimrtgo_connection_reference
func aimrtgo_connection_reference(h C.aimrt_rpc_connection_t, path C.aimrt_rpc_str_t, out *C.aimrt_rpc_buffer_t, errorOut *C.aimrt_rpc_error_t) C.aimrt_rpc_result_t {
	return onLink("connection_reference", h, errorOut, func(o *linkObject) error {
		value, err := o.core.Reference(text(&path))
		if err != nil {
			return err
		}
		return buffer(out, value)
	})
}

//export aimrtgo_connection_reference_path
func aimrtgo_connection_reference_path(h C.aimrt_rpc_connection_t, value C.aimrt_rpc_bytes_t, out *C.aimrt_rpc_buffer_t, errorOut *C.aimrt_rpc_error_t) C.aimrt_rpc_result_t {
	return onLink("connection_reference_path", h, errorOut, func(o *linkObject) error {
		path, ok := o.core.ReferencePath(bytesOf(&value))
		if !ok {
			return failf(C.AIMRT_RPC_RESULT_NOT_FOUND, "the value is no reference to a service of the peer")
		}
		return buffer(out, []byte(path))
	})
}

//export aimrtgo_link_on_close
func aimrtgo_link_on_close(h C.aimrt_rpc_connection_t, closed C.aimrt_rpc_closed_fn, userData C.uintptr_t, free C.aimrt_rpc_free_fn, errorOut *C.aimrt_rpc_error_t) C.aimrt_rpc_result_t {
	return onLink("connection_on_close", h, errorOut, func(o *linkObject) error {
		if closed == nil {
			return failf(C.AIMRT_RPC_RESULT_INVALID_ARGUMENT, "closed is NULL")
		}
		if !o.addCallback() {
			return failf(C.AIMRT_RPC_RESULT_LIMIT, "%d callbacks wait for the end of this connection, which is the limit", maxCloseCallbacks)
		}
		o.core.OnClose(func(reason error) {
			why := ""
			if reason != nil {
				why = reason.Error()
			}
			C.link_closed(closed, userData, o.handle, chars(why), C.size_t(len(why)))
			if free != nil {
				C.link_free(free, userData)
			}
		})
		return nil
	})
}

func (o *linkObject) addCallback() bool {
	h := &o.module.runtime.links
	h.mu.Lock()
	defer h.mu.Unlock()
	if o.callbacks == maxCloseCallbacks {
		return false
	}
	o.callbacks++
	return true
}

//export aimrtgo_connection_close
func aimrtgo_connection_close(h C.aimrt_rpc_connection_t, errorOut *C.aimrt_rpc_error_t) C.aimrt_rpc_result_t {
	return onLink("connection_close", h, errorOut, func(o *linkObject) error {
		o.close()
		return nil
	})
}

//export aimrtgo_connection_retain
func aimrtgo_connection_retain(h C.aimrt_rpc_connection_t, errorOut *C.aimrt_rpc_error_t) C.aimrt_rpc_result_t {
	return onLink("connection_retain", h, errorOut, func(o *linkObject) error {
		if !o.module.runtime.links.retain(o) {
			return stale("connection", uint64(h))
		}
		return nil
	})
}

//export aimrtgo_link_release
func aimrtgo_link_release(id C.uint64_t) {
	quiet("connection_release", func() {
		o, ok := linkObjects.Get(uint64(id))
		if !ok || !o.module.runtime.users.enter() {
			return
		}
		defer o.module.runtime.users.leave()
		o.module.runtime.links.release(o)
	})
}

//export aimrtgo_call_connection
func aimrtgo_call_connection(call C.aimrt_rpc_call_t, out *C.aimrt_rpc_connection_t, errorOut *C.aimrt_rpc_error_t) C.aimrt_rpc_result_t {
	return result("call_connection", errorOut, func() error {
		token := uint64(C.front_server_call_token(call))
		if token == 0 && C.front_handle_find(C.AIMRT_RPC_KIND_SERVER_CALL, C.uint64_t(call)) == nil {
			return stale("server call", uint64(call))
		}
		s, ok := servedCalls.Get(token)
		if !ok {
			return noConnection()
		}
		return s.connection(out)
	})
}

func noConnection() error {
	return failf(C.AIMRT_RPC_RESULT_NOT_FOUND, "the call came over no connection, or that is gone")
}

// connection gives a reference to the connection a call came over.
func (s *servedCall) connection(out *C.aimrt_rpc_connection_t) error {
	f := s.service
	if !f.runtime.users.enter() {
		return noConnection()
	}
	defer f.runtime.users.leave()
	c, ok := f.runtime.core.ConnectionOf(s.call)
	if !ok {
		return noConnection()
	}
	link, err := f.runtime.links.take(f.module, c, false)
	if err == nil {
		*out = link.handle
	}
	return err
}
