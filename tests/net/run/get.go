// The Go twin of get.c: the lines "get", "from", "serve" and "sockets", with the same answers.
package main

import (
	"bufio"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

const soProtocol = 38

func protocolOf(socket syscall.Conn) (protocol int) {
	raw, err := socket.SyscallConn()
	check(err)
	check(raw.Control(func(fd uintptr) {
		protocol, err = syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, soProtocol)
	}))
	check(err)
	return protocol
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func get(local, address, port, path, name string) {
	dialer := net.Dialer{}
	if local != "" {
		dialer.LocalAddr = &net.TCPAddr{IP: net.ParseIP(local)}
	}
	connection, err := dialer.Dial("tcp", net.JoinHostPort(address, port))
	check(err)
	defer connection.Close()
	out, err := os.Create(name)
	check(err)
	defer out.Close()
	fmt.Fprintf(connection, "GET %s HTTP/1.0\r\n\r\n", path)
	reader := bufio.NewReader(connection)
	for line := ""; line != "\r\n"; {
		line, err = reader.ReadString('\n')
		check(err)
	}
	_, err = io.Copy(out, reader)
	check(err)
	fmt.Println(protocolOf(connection.(*net.TCPConn)))
}

func serve(address, port, name string) {
	listener, err := net.Listen("tcp", net.JoinHostPort(address, port))
	check(err)
	defer listener.Close()
	fmt.Println("listening", protocolOf(listener.(*net.TCPListener)))
	connection, err := listener.Accept()
	check(err)
	defer connection.Close()
	_, err = connection.Read(make([]byte, 1024))
	check(err)
	file, err := os.Open(name)
	check(err)
	defer file.Close()
	_, err = io.Copy(connection, file)
	check(err)
	fmt.Println(protocolOf(connection.(*net.TCPConn)))
}

// In many threads, with the signals by which Go's scheduler interrupts them.
func sockets(n int) {
	const workers = 8
	var wait sync.WaitGroup
	stop := make(chan bool)
	for i := 0; i < workers; i++ {
		go func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
			}
		}()
		wait.Add(1)
		go func() {
			defer wait.Done()
			for i := 0; i < n/workers; i++ {
				fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
				check(err)
				syscall.Close(fd)
			}
		}()
	}
	wait.Wait()
	close(stop)
	fmt.Println(n)
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		switch words[0] {
		case "get":
			get("", words[1], words[2], words[3], words[4])
		case "from":
			get(words[1], words[2], words[3], words[4], words[5])
		case "serve":
			serve(words[1], words[2], words[3])
		case "sockets":
			n, err := strconv.Atoi(words[1])
			check(err)
			sockets(n)
		default:
			log.Fatal("bad line")
		}
	}
}
