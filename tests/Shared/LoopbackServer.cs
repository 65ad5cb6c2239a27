using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Gradus.Testing;

/// <summary>What a client asked.</summary>
public sealed record Request(string Method, string Path, string Query, IReadOnlyDictionary<string, string> Headers)
{
    /// <summary>The first and last byte of a Range header.</summary>
    public (int From, int To)? Range
    {
        get
        {
            if (!Headers.TryGetValue("range", out string? text))
                return null;
            string[] ends = text["bytes=".Length..].Split('-');
            return (int.Parse(ends[0]), int.Parse(ends[1]));
        }
    }
}

/// <summary>What the server sends: headers as they are, also lying ones, and as much of the body as it likes before it hangs up.</summary>
public sealed record Response(int Status, byte[] Body, params (string Name, string Value)[] Headers)
{
    /// <summary>The Content-Length header; null sends the true one.</summary>
    public long? AnnouncedLength { get; init; }

    /// <summary>Bytes of the body to send before the connection breaks; null sends all.</summary>
    public int? BreakAfter { get; init; }
}

/// <summary>A small HTTP/1.1 server on loopback whose every answer is the test's: one connection for each request.</summary>
public sealed class LoopbackServer : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly Func<Request, Response> _answer;

    public LoopbackServer(Func<Request, Response> answer)
    {
        _answer = answer;
        _listener.Start();
        Address = new Uri($"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}");
        _ = ServeAsync();
    }

    public Uri Address { get; }

    public ConcurrentQueue<Request> Requests { get; } = [];

    public void Dispose() => _listener.Stop();

    private async Task ServeAsync()
    {
        try
        {
            while (true)
                _ = AnswerAsync(await _listener.AcceptTcpClientAsync());
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    private async Task AnswerAsync(TcpClient client)
    {
        using (client)
        {
            try
            {
                NetworkStream stream = client.GetStream();
                if (await ReadAsync(stream) is not { } request)
                    return;
                Requests.Enqueue(request);
                Response response = _answer(request);
                StringBuilder head = new($"HTTP/1.1 {response.Status} Because\r\nConnection: close\r\nContent-Length: {response.AnnouncedLength ?? response.Body.Length}\r\n");
                foreach ((string name, string value) in response.Headers)
                    head.Append($"{name}: {value}\r\n");
                await stream.WriteAsync(Encoding.ASCII.GetBytes(head.Append("\r\n").ToString()));
                if (request.Method != "HEAD")
                    await stream.WriteAsync(response.Body.AsMemory(0, Math.Min(response.Body.Length, response.BreakAfter ?? int.MaxValue)));
                await stream.FlushAsync();
                client.Client.Shutdown(SocketShutdown.Send);
            }
            catch (Exception e) when (e is IOException or SocketException)
            {
                // The client hung up first.
            }
        }
    }

    private static async Task<Request?> ReadAsync(NetworkStream stream)
    {
        StringBuilder head = new();
        byte[] one = new byte[1];
        while (!head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal))
        {
            if (await stream.ReadAsync(one) == 0)
                return null;
            head.Append((char)one[0]);
        }
        string[] lines = head.ToString().Split("\r\n", StringSplitOptions.RemoveEmptyEntries);
        string[] first = lines[0].Split(' ');
        string[] target = first[1].Split('?', 2);
        Dictionary<string, string> headers = lines.Skip(1).Select(l => l.Split(": ", 2)).ToDictionary(h => h[0].ToLowerInvariant(), h => h[1]);
        return new Request(first[0], Uri.UnescapeDataString(target[0]), target.Length > 1 ? target[1] : "", headers);
    }
}
