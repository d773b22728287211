// Two connections that are quiet for an hour, behind a firewall that forgets one of them: Java 17,
// and nothing but its standard library.
//
//     fwemu run --server 'python -m fwemu.scenarios.echo 7' --server-port 7 -- java docs/examples/IdleHour.java
//
// (with a python that has fwemu).  Ends with 0 if everything is as it says.

import java.io.IOException;
import java.net.Socket;
import java.net.SocketException;
import java.net.StandardSocketOptions;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import jdk.net.ExtendedSocketOptions;

public class IdleHour {
    public static void main(String[] arguments) throws IOException {
        api("PATCH", "/config",
            "{\"settings\": [\"timeouts.tcp_established=1h\", \"unknown.inside=reset\"]}");

        try (Socket careless = connect(); Socket careful = connect()) {
            careful.setOption(StandardSocketOptions.SO_KEEPALIVE, true);
            careful.setOption(ExtendedSocketOptions.TCP_KEEPIDLE, 15 * 60);
            for (Socket socket : new Socket[] {careless, careful}) {
                check("hello".equals(ask(socket, "hello")), "the server does not answer");
            }

            String hour = api("POST", "/fast-forward", "{\"by\": \"1h 5m\"}");
            check(hour.contains("\"sent\":4"), "not four keepalive probes: " + hour);
            check(hour.split("\"reason\":\"expired\"", -1).length == 2, "not one expired: " + hour);

            check("Connection reset".equals(ask(careless, "still there?")), "it was not reset");
            check("still there?".equals(ask(careful, "still there?")), "keepalive did not help");
        }
        System.out.println("after a quiet hour: a reset without keepalive, an answer with it");
    }

    private static Socket connect() throws IOException {
        Socket socket = new Socket(System.getenv("FWEMU_SERVER_IP"), 7);
        socket.setSoTimeout(5000);
        return socket;
    }

    /** What comes back for a word: the word, or the error. */
    private static String ask(Socket socket, String word) throws IOException {
        try {
            socket.getOutputStream().write(word.getBytes(StandardCharsets.US_ASCII));
            byte[] answer = socket.getInputStream().readNBytes(word.length());
            return new String(answer, StandardCharsets.US_ASCII);
        } catch (SocketException error) {
            return error.getMessage();
        }
    }

    /** One request to the control API; its answer as text.  Any JSON library reads the rest. */
    private static String api(String method, String path, String body) throws IOException {
        var address = UnixDomainSocketAddress.of(System.getenv("FWEMU_CONTROL"));
        try (SocketChannel channel = SocketChannel.open(address)) {
            byte[] content = body.getBytes(StandardCharsets.UTF_8);
            String head = method + " " + path + " HTTP/1.1\r\nHost: fwemu\r\nConnection: close\r\n"
                + "Content-Type: application/json\r\nContent-Length: " + content.length + "\r\n\r\n";
            ByteBuffer request = ByteBuffer.wrap((head + body).getBytes(StandardCharsets.UTF_8));
            while (request.hasRemaining()) {
                channel.write(request);
            }
            byte[] answer = Channels.newInputStream(channel).readAllBytes();
            String text = new String(answer, StandardCharsets.UTF_8);
            check(text.startsWith("HTTP/1.1 200 "), text);
            return text.substring(text.indexOf("\r\n\r\n") + 4);
        }
    }

    private static void check(boolean isTrue, String otherwise) {
        if (!isTrue) {
            throw new AssertionError(otherwise);
        }
    }
}
