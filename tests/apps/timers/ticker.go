// A connection with a ticker at both ends, and an HTTP server and client:
//
//	ticker tcp-server HOST:PORT     says back what it hears
//	ticker tcp-client HOST:PORT 20s
//	ticker http-server HOST:PORT
//	ticker http-client HOST:PORT 90s
//
// What a client says is described in python_programs.py.
package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serveQuestions(ask func() error) {
	must(ask())
	fmt.Println("ready")
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		if err := ask(); err != nil {
			fmt.Println(err)
		} else {
			fmt.Println("answered")
		}
	}
}

func tcpServer(address string) {
	listener, err := (&net.ListenConfig{KeepAlive: -1}).Listen(context.Background(), "tcp", address)
	must(err)
	for {
		connection, err := listener.Accept()
		must(err)
		go io.Copy(connection, connection)
	}
}

func tcpClient(address string, every time.Duration) {
	connection, err := (&net.Dialer{KeepAlive: -1}).Dial("tcp", address)
	must(err)
	var turn sync.Mutex
	ask := func() error {
		turn.Lock()
		defer turn.Unlock()
		if _, err := connection.Write([]byte("there?")); err != nil {
			return err
		}
		_, err := io.ReadFull(connection, make([]byte, 6))
		return err
	}
	go func() {
		for range time.Tick(every) {
			ask()
		}
	}()
	serveQuestions(ask)
}

func httpServer(address string) {
	listener, err := (&net.ListenConfig{KeepAlive: -1}).Listen(context.Background(), "tcp", address)
	must(err)
	must(http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "here")
	})))
}

func httpClient(address string, idle time.Duration) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Proxy = nil
	transport.IdleConnTimeout = idle
	transport.DialContext = (&net.Dialer{KeepAlive: -1}).DialContext
	client := &http.Client{Transport: transport}
	serveQuestions(func() error {
		response, err := client.Get("http://" + address)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		_, err = io.Copy(io.Discard, response.Body)
		return err
	})
}

func duration(words []string) time.Duration {
	length, err := time.ParseDuration(words[3])
	must(err)
	return length
}

func main() {
	switch os.Args[1] {
	case "tcp-server":
		tcpServer(os.Args[2])
	case "tcp-client":
		tcpClient(os.Args[2], duration(os.Args))
	case "http-server":
		httpServer(os.Args[2])
	case "http-client":
		httpClient(os.Args[2], duration(os.Args))
	}
}
