// A media server with pion/webrtc that sends picture and sound back as they came. It has its pod's address only: no STUN, no TURN.
package main

import (
	"crypto/hmac"
	"crypto/sha1"
	"embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"
)

//go:embed page.html page.js
var page embed.FS

const offerBytesMax = 65536

func main() {
	api, err := newAPI()
	if err != nil {
		log.Fatal(err)
	}
	http.Handle("GET /", http.FileServerFS(page))
	http.Handle("GET /{$}", http.RedirectHandler("page.html", http.StatusFound))
	http.HandleFunc("GET /live", func(http.ResponseWriter, *http.Request) {})
	http.HandleFunc("GET /ice", func(writer http.ResponseWriter, _ *http.Request) { reply(writer, iceServers()) })
	http.HandleFunc("POST /offer", func(writer http.ResponseWriter, request *http.Request) {
		var offer webrtc.SessionDescription
		if err := json.NewDecoder(io.LimitReader(request.Body, offerBytesMax)).Decode(&offer); err != nil {
			http.Error(writer, "not an offer", http.StatusBadRequest)
			return
		}
		answer, err := echo(api, offer)
		if err != nil {
			http.Error(writer, err.Error(), http.StatusBadRequest)
			return
		}
		reply(writer, answer)
	})
	log.Fatal(http.ListenAndServe(":8080", nil))
}

// newAPI keeps media sockets in the ports that network-policy.yaml and the relay's routes open.
func newAPI() (*webrtc.API, error) {
	settings := webrtc.SettingEngine{}
	if err := settings.SetEphemeralUDPPortRange(10000, 20000); err != nil {
		return nil, err
	}
	media := &webrtc.MediaEngine{}
	if err := media.RegisterDefaultCodecs(); err != nil {
		return nil, err
	}
	return webrtc.NewAPI(webrtc.WithSettingEngine(settings), webrtc.WithMediaEngine(media)), nil
}

// echo answers an offer; each track of the browser becomes one of ours.
func echo(api *webrtc.API, offer webrtc.SessionDescription) (*webrtc.SessionDescription, error) {
	connection, err := api.NewPeerConnection(webrtc.Configuration{}) // no ICE servers: the pod's address is enough
	if err != nil {
		return nil, err
	}
	connection.OnConnectionStateChange(func(state webrtc.PeerConnectionState) {
		if state == webrtc.PeerConnectionStateFailed || state == webrtc.PeerConnectionStateDisconnected {
			_ = connection.Close()
		}
	})
	ways := map[webrtc.RTPCodecType]*webrtc.TrackLocalStaticRTP{}
	for kind, mime := range map[webrtc.RTPCodecType]string{webrtc.RTPCodecTypeAudio: webrtc.MimeTypeOpus, webrtc.RTPCodecTypeVideo: webrtc.MimeTypeVP8} {
		way, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: mime}, kind.String(), "echo")
		if err != nil {
			return nil, errors.Join(err, connection.Close())
		}
		if _, err = connection.AddTrack(way); err != nil {
			return nil, errors.Join(err, connection.Close())
		}
		ways[kind] = way
	}
	connection.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		if track.Kind() == webrtc.RTPCodecTypeVideo {
			go askForKeyFrames(connection, track)
		}
		for {
			packet, _, err := track.ReadRTP()
			if err != nil {
				return
			}
			_ = ways[track.Kind()].WriteRTP(packet)
		}
	})
	return answer(connection, offer)
}

func answer(connection *webrtc.PeerConnection, offer webrtc.SessionDescription) (*webrtc.SessionDescription, error) {
	if err := connection.SetRemoteDescription(offer); err != nil {
		return nil, errors.Join(err, connection.Close())
	}
	made, err := connection.CreateAnswer(nil)
	if err != nil {
		return nil, errors.Join(err, connection.Close())
	}
	gathered := webrtc.GatheringCompletePromise(connection)
	if err = connection.SetLocalDescription(made); err != nil {
		return nil, errors.Join(err, connection.Close())
	}
	<-gathered
	return connection.LocalDescription(), nil
}

// askForKeyFrames lets the browser begin to decode its own picture soon.
func askForKeyFrames(connection *webrtc.PeerConnection, track *webrtc.TrackRemote) {
	for range time.Tick(2 * time.Second) {
		if connection.WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: uint32(track.SSRC())}}) != nil {
			return
		}
	}
}

// iceServers is what the page gives to RTCPeerConnection, from the variables of the relay's ConfigMap and Secret.
func iceServers() any {
	username, credential := os.Getenv("STUNNER_USERNAME"), os.Getenv("STUNNER_PASSWORD")
	if kind := os.Getenv("STUNNER_AUTH_TYPE"); kind == "ephemeral" || kind == "longterm" {
		username = strconv.FormatInt(time.Now().Add(24*time.Hour).Unix(), 10) + ":demo"
		mac := hmac.New(sha1.New, []byte(os.Getenv("STUNNER_SHARED_SECRET")))
		mac.Write([]byte(username))
		credential = base64.StdEncoding.EncodeToString(mac.Sum(nil))
	}
	url := fmt.Sprintf("turn:%s:%s?transport=udp", os.Getenv("STUNNER_PUBLIC_ADDR"), os.Getenv("STUNNER_PUBLIC_PORT"))
	server := map[string]any{"urls": url, "username": username, "credential": credential}
	return map[string]any{"iceServers": []any{server}, "iceTransportPolicy": "relay"}
}

func reply(writer http.ResponseWriter, value any) {
	writer.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(writer).Encode(value)
}
