// Servers of the Model Context Protocol as tools. A server is a program that the person names, started with no environment but what is given, or an
// address. Its tools go through a ToolBox like others: allow-list, consent, limits; what they return is data.

using Microsoft.Extensions.AI;
using ModelContextProtocol.Client;

namespace Gradus.Applications.Agents;

/// <summary>A server of tools: a command, or an address.</summary>
/// <param name="Name">What it is called in messages.</param>
/// <param name="Command">The program; null where there is an address.</param>
/// <param name="Arguments">The program's arguments.</param>
/// <param name="Address">Its address (streamable HTTP); null where there is a command.</param>
public sealed record McpServer(string Name, string? Command = null, IReadOnlyList<string>? Arguments = null, Uri? Address = null)
{
    /// <summary>The program's environment, beside PATH.</summary>
    public IReadOnlyDictionary<string, string> Environment { get; init; } = new Dictionary<string, string>();

    /// <summary>Only these tools of it; null for all.</summary>
    public IReadOnlyCollection<string>? Allowed { get; init; }
}

/// <summary>Connections to servers of tools. Disposing them ends the programs.</summary>
public sealed class McpTools : IAsyncDisposable
{
    private readonly List<McpClient> _clients = [];
    private readonly List<AIFunction> _tools = [];

    private McpTools()
    {
    }

    /// <summary>The tools of all servers.</summary>
    public IReadOnlyList<AIFunction> Tools => _tools;

    /// <summary>Connects to servers and asks for their tools.</summary>
    /// <exception cref="InvalidDataException">A server does not answer, or lacks an allowed tool; the message names it.</exception>
    public static async Task<McpTools> ConnectAsync(IEnumerable<McpServer> servers, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(servers);
        McpTools connected = new();
        try
        {
            foreach (McpServer server in servers)
                await connected.AddAsync(server, cancellation).ConfigureAwait(false);
            return connected;
        }
        catch
        {
            await connected.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (McpClient client in _clients)
            await client.DisposeAsync().ConfigureAwait(false);
        _clients.Clear();
    }

    private async Task AddAsync(McpServer server, CancellationToken cancellation)
    {
        try
        {
            McpClient client = await McpClient.CreateAsync(TransportOf(server), cancellationToken: cancellation).ConfigureAwait(false);
            _clients.Add(client);
            IList<McpClientTool> tools = await client.ListToolsAsync(cancellationToken: cancellation).ConfigureAwait(false);
            foreach (string name in server.Allowed ?? [])
            {
                if (!tools.Any(tool => tool.Name == name))
                    throw new InvalidDataException($"the server {server.Name} has no tool called {name}; it has {string.Join(", ", tools.Select(t => t.Name))}.");
            }
            _tools.AddRange(tools.Where(tool => server.Allowed?.Contains(tool.Name) != false));
        }
        catch (Exception e) when (e is not (InvalidDataException or OperationCanceledException or OutOfMemoryException))
        {
            throw new InvalidDataException($"the server {server.Name} of tools cannot be used: {e.Message}", e);
        }
    }

    private static IClientTransport TransportOf(McpServer server)
    {
        if (server.Address is { } address)
            return new HttpClientTransport(new HttpClientTransportOptions { Endpoint = address, Name = server.Name });
        if (server.Command is not { Length: > 0 } command)
            throw new InvalidDataException($"the server {server.Name} of tools has neither a command nor an address.");
        Dictionary<string, string?> environment = server.Environment.ToDictionary(pair => pair.Key, pair => (string?)pair.Value);
        if (!OperatingSystem.IsWindows())
            environment.TryAdd("PATH", "/usr/local/bin:/usr/bin:/bin");
        return new StdioClientTransport(new StdioClientTransportOptions
        {
            Command = command,
            Arguments = [.. server.Arguments ?? []],
            Name = server.Name,
            // A server sees no keys and no settings that it was not given. Windows starts no program without its own.
            InheritEnvironmentVariables = OperatingSystem.IsWindows(),
            EnvironmentVariables = environment,
        });
    }
}
