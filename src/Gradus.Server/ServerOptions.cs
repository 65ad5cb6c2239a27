using Gradus.Server.Security;

namespace Gradus.Server;

/// <summary>How a server is reached, and what it takes.</summary>
/// <param name="Host">The address that it listens at: <c>localhost</c>, an IP address, or <c>*</c> for all.</param>
/// <param name="Port">The port, 0 to 65535; 0 takes a free one.</param>
/// <param name="MaxActive">Answers that are written or wait at once, ≥ 1; more are refused with 503.</param>
/// <param name="MaxBodyBytes">The largest body of a request, in bytes.</param>
public sealed record ServerOptions(string Host = "localhost", int Port = 8080, int MaxActive = 512, long MaxBodyBytes = 32L << 20)
{
    /// <summary>How long a request may take at most; null for no limit.</summary>
    public TimeSpan? RequestTimeout { get; init; }

    /// <summary>How long running answers are waited for when the server stops.</summary>
    public TimeSpan DrainTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>After how long without an event a stream sends a comment.</summary>
    public TimeSpan PingInterval { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>Who may use the server; null for everybody who reaches it.</summary>
    public ApiKeys? Keys { get; init; }

    /// <summary>Web pages of other origins that may use the server, such as <c>https://chat.example.org</c>; <c>*</c> for all.</summary>
    public IReadOnlyList<string> AllowedOrigins { get; init; } = [];

    /// <summary>Names by which the server may be asked for, besides its address and loopback's; <c>*</c> for all. Empty while it listens beyond loopback means all.</summary>
    public IReadOnlyList<string> AllowedHosts { get; init; } = [];

    /// <summary>The certificate and its private key for TLS, PEM files; null for plain HTTP.</summary>
    public (string Certificate, string Key)? Tls { get; init; }

    /// <summary>The file of the SQLite database of stored responses; null keeps them in memory while the server runs.</summary>
    public string? State { get; init; }

    /// <summary>A folder whose subfolders are adapters that may be loaded by their names while the server runs; null for none.</summary>
    public string? AdapterFolder { get; init; }

    /// <summary>Where spans and measurements are sent by OTLP over gRPC, such as <c>http://localhost:4317</c>; null for nowhere.</summary>
    public Uri? Telemetry { get; init; }

    /// <summary>What made the answers: the version of the program and the instruction set, for <c>system_fingerprint</c>.</summary>
    public string Build { get; init; } = $"gradus-{typeof(ServerOptions).Assembly.GetName().Version!.ToString(3)}-{Tensors.Cpu.CpuDevice.Default.IsaName}";

    /// <summary>Whether only programs of this machine can reach the server.</summary>
    public bool IsLoopback => Host is "localhost" || (System.Net.IPAddress.TryParse(Host, out System.Net.IPAddress? address) && System.Net.IPAddress.IsLoopback(address));

    /// <summary>Refuses values out of their ranges.</summary>
    /// <exception cref="ArgumentException">One is; the message names it.</exception>
    internal void Check()
    {
        if (Port is < 0 or > 65535)
            throw new ArgumentException($"Port is {Port}; give 0 to 65535.");
        if (Host is not ("localhost" or "*") && !System.Net.IPAddress.TryParse(Host, out _))
            throw new ArgumentException($"Host is {Host}; give localhost, an IP address, or * for all addresses.");
        if (MaxActive < 1 || MaxBodyBytes < 1)
            throw new ArgumentException($"MaxActive is {MaxActive} and MaxBodyBytes {MaxBodyBytes}; give 1 or more.");
        if (DrainTimeout < TimeSpan.Zero || PingInterval <= TimeSpan.Zero || RequestTimeout <= TimeSpan.Zero)
            throw new ArgumentException("DrainTimeout, PingInterval and RequestTimeout are times above zero.");
    }
}
