// Sends back what is posted: `serve`, or ADDRESS FILE, which prints the hash of the echo; then,
// from a plain socket with urgent data inline: what the option reads, how many bytes came, and
// how many are available at the end of file.
import com.sun.net.httpserver.HttpServer;
import java.io.InputStream;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.HexFormat;

public class Echo {
        static final int HTTP = 8000, STREAM = 8001;

        static void serve() throws Exception {
                ServerSocket listener = new ServerSocket(STREAM);
                HttpServer server = HttpServer.create(new InetSocketAddress(HTTP), 0);
                byte[][] last = new byte[1][];
                server.createContext("/", exchange -> {
                        last[0] = exchange.getRequestBody().readAllBytes();
                        exchange.sendResponseHeaders(200, last[0].length);
                        exchange.getResponseBody().write(last[0]);
                        exchange.close();
                });
                server.start();
                while (true) {
                        try (Socket socket = listener.accept()) {
                                socket.getOutputStream().write(last[0]);
                        }
                }
        }

        static String post(String address, String path) throws Exception {
                HttpClient client =
                        HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
                HttpRequest request =
                        HttpRequest
                                .newBuilder(URI.create(
                                        String.format("http://%s:%d/", address, HTTP)))
                                .POST(HttpRequest.BodyPublishers.ofFile(Path.of(path)))
                                .build();
                byte[] body =
                        client.send(request, HttpResponse.BodyHandlers.ofByteArray()).body();
                return HexFormat.of().formatHex(
                        MessageDigest.getInstance("SHA-256").digest(body));
        }

        static void stream(String address) throws Exception {
                try (Socket socket = new Socket(address, STREAM)) {
                        socket.setOOBInline(true);
                        System.out.println(socket.getOOBInline());
                        InputStream in = socket.getInputStream();
                        byte[] buffer = new byte[65536];
                        long length = 0;
                        for (int n; (n = in.read(buffer)) > 0;)
                                length += n;
                        System.out.println(length);
                        System.out.println(in.available());
                }
        }

        public static void main(String[] args) throws Exception {
                if (args[0].equals("serve")) {
                        serve();
                } else {
                        System.out.println(post(args[0], args[1]));
                        stream(args[0]);
                }
        }
}
