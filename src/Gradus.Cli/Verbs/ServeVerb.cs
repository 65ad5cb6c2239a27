using System.CommandLine;
using System.Net.Sockets;
using Gradus.Adapters;
using Gradus.Bundle;
using Gradus.Cli.Console;
using Gradus.Generation;
using Gradus.Server;
using Gradus.Server.Catalog;
using Gradus.Server.Security;
using Gradus.Tensors.Cpu;
using Microsoft.Extensions.Logging;

namespace Gradus.Cli.Verbs;

/// <summary><c>gradus serve</c>: models behind the APIs that clients and agents speak.</summary>
internal static class ServeVerb
{
    private static readonly Argument<string[]> Sources = new("MODEL")
    {
        Description = "Models to serve: folders, runs, adapters, GGUF files or names on the hub; NAME=MODEL gives one another name.",
        Arity = ArgumentArity.ZeroOrMore,
    };

    private static readonly Option<string> Host = new("--host")
    {
        Description = "The address to listen at; * for all. Without it only programs of this machine reach the server.",
        HelpName = "ADDRESS",
        DefaultValueFactory = _ => "localhost",
    };

    private static readonly Option<int> Port = Numeric.Option("--port", "The port; 0 takes a free one.", 0, 65535, 8080);

    private static readonly Option<string?> Keys = new("--keys") { Description = "A file of API keys; whoever has none of them is refused.", HelpName = "FILE" };

    private static readonly Option<string?> NewKey = new("--new-key") { Description = "Make a key of that name, add it to the file of --keys, print it, and end.", HelpName = "NAME" };

    private static readonly Option<string[]> Origins = new("--allow-origin") { Description = "Let web pages of this origin use the server; repeat it for more.", HelpName = "URL", DefaultValueFactory = _ => [] };

    private static readonly Option<string[]> Hosts = new("--allow-host") { Description = "A name by which the server may be asked for, besides its address; repeat it for more.", HelpName = "NAME", DefaultValueFactory = _ => [] };

    private static readonly Option<string?> Certificate = new("--tls-cert") { Description = "A certificate for TLS, PEM.", HelpName = "FILE" };

    private static readonly Option<string?> CertificateKey = new("--tls-key") { Description = "The certificate's private key, PEM.", HelpName = "FILE" };

    private static readonly Option<int> CacheMebibytes = Numeric.Option("--cache-mib", "Memory for the keys and values of each model, in MiB.", 1, 1 << 20, 1024);

    private static readonly Option<int> Sequences = Numeric.Option("--max-sequences", "Answers that one model writes at once.", 1, 4096, 64);

    private static readonly Option<int> Active = Numeric.Option("--max-active", "Answers that are written or wait; more are refused with 503.", 1, 1 << 20, 512);

    private static readonly Option<int> Loaded = Numeric.Option("--max-loaded", "Models that are loaded at once; the least recently used leaves.", 1, 1024, 4);

    private static readonly Option<double?> KeepAlive = Numeric.Optional("--keep-alive", "Seconds that a model stays loaded after its last use; without it for ever.", 0d, 1e9);

    private static readonly Option<double?> Timeout = Numeric.Optional("--timeout", "Seconds that a request may take; without it no limit.", 0.001, 1e9);

    private static readonly Option<double> Drain = Numeric.Option("--drain", "Seconds that running answers are waited for when the server stops.", 0d, 86400d, 30d);

    private static readonly Option<string[]> Adapters = new("--adapter") { Description = "An adapter beside others on the first model, under a name of its own; repeat it for more.", HelpName = "NAME=FOLDER", DefaultValueFactory = _ => [] };

    private static readonly Option<string?> AdapterFolder = new("--adapters") { Description = "A folder whose subfolders are adapters that may be loaded by name while the server runs.", HelpName = "FOLDER" };

    private static readonly Option<string?> State = new("--state") { Description = "A SQLite database for responses that clients go on from; without it they are kept in memory.", HelpName = "FILE" };

    private static readonly Option<string?> Telemetry = new("--otlp") { Description = "Send spans and measurements to this OpenTelemetry collector (gRPC), such as http://localhost:4317.", HelpName = "URL" };

    private static readonly Option<string?> Base = ModelFolder.BaseOption();

    /// <summary>Makes the command.</summary>
    public static Command Create(CommandContext context)
    {
        Verb verb = new("serve", "Serve models over HTTP to OpenAI clients, agents and browsers.") { Sources };
        foreach (Option option in new Option[] { Host, Port, Keys, NewKey, Origins, Hosts, Certificate, CertificateKey, CacheMebibytes, Sequences, Active, Loaded, KeepAlive, Timeout, Drain, Adapters, AdapterFolder, State, Telemetry, Base })
            verb.Options.Add(option);
        verb.Examples =
        [
            ("serve runs/quickstart/5-lora", "serves a model at http://localhost:8080/v1"),
            ("serve chat=Qwen/Qwen3-0.6B embed=BAAI/bge-small-en-v1.5 --port 9000", "serves two models of the hub by short names"),
            ("serve my-model --adapter legal=adapters/legal --adapter poems=adapters/poems", "serves adapters on one model, each under its name"),
            ("serve --new-key alice --keys keys.json", "makes a key; serve … --host '*' --keys keys.json asks for it"),
        ];
        verb.SetAction(parse => parse.GetValue(NewKey) is { } name ? MakeKey(context, name, parse.GetValue(Keys)) : Run(context, parse).GetAwaiter().GetResult());
        return verb;
    }

    private static int MakeKey(CommandContext context, string name, string? file)
    {
        if (file is null)
            throw new UsageException("--new-key needs --keys FILE, the file that the key's hash is added to.");
        ApiKey[] known = File.Exists(file) ? [.. ApiKeys.Load(file).All] : [];
        if (known.Any(k => k.Name == name))
            throw new UsageException($"{file}: there is a key called {name} already; give another name, or take that one out.");
        (string secret, ApiKey key) = ApiKeys.Create(name);
        ApiKeys.Save(file, [.. known, key]);
        context.Out.WriteLine(secret);
        context.Note($"{file} has the key's hash only: keep the line above, it cannot be shown again.");
        return ExitCode.Done;
    }

    private static async Task<int> Run(CommandContext context, ParseResult parse)
    {
        ServerOptions options = Options(parse);
        using ModelCatalog catalog = new(Catalog(context, parse), parse.GetValue(Loaded), Seconds(parse.GetValue(KeepAlive)));
        await using InferenceServer server = new(catalog, options, logging => logging.AddProvider(new StatusLogger(context)).SetMinimumLevel(context.Verbose ? LogLevel.Debug : LogLevel.Warning));
        try
        {
            await server.Start(context.Cancellation).ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException or SocketException)
        {
            throw new UsageException($"cannot listen at {options.Host}:{options.Port}: {e.Message} Give another --port.");
        }
        if (!options.IsLoopback && options.Keys is null)
            context.Note("everybody who reaches this address may use the server; --keys asks for a key.");
        context.Note($"listening at {server.Address}; loading models");
        await server.Load(context.Cancellation).ConfigureAwait(false);
        context.Note($"ready: {string.Join(", ", catalog.Names.Select(n => n.Name))}; OpenAI clients: base URL {new Uri(server.Address, "v1")}");
        try
        {
            await Task.Delay(System.Threading.Timeout.Infinite, context.Cancellation).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            if (!await server.Stop().ConfigureAwait(false))
                context.Note($"some answers did not end within {options.DrainTimeout.TotalSeconds:0.#} seconds and were cut off.");
        }
        return ExitCode.Done;
    }

    private static ServerOptions Options(ParseResult parse)
    {
        (string? certificate, string? key) = (parse.GetValue(Certificate), parse.GetValue(CertificateKey));
        if (certificate is null != key is null)
            throw new UsageException("--tls-cert and --tls-key belong together; give both.");
        return new ServerOptions(parse.GetValue(Host)!, parse.GetValue(Port), parse.GetValue(Active))
        {
            Keys = parse.GetValue(Keys) is { } file ? ApiKeys.Load(file) : Environment.GetEnvironmentVariable("GRADUS_API_KEY") is { Length: > 0 } secret ? new ApiKeys([ApiKeys.Of("environment", secret)]) : null,
            AllowedOrigins = parse.GetValue(Origins)!,
            AllowedHosts = parse.GetValue(Hosts)!,
            AdapterFolder = parse.GetValue(AdapterFolder) is not { } adapters ? null : Directory.Exists(adapters) ? adapters : throw new UsageException($"--adapters {adapters}: no such folder."),
            State = parse.GetValue(State),
            Telemetry = parse.GetValue(Telemetry) is not { } collector ? null : Uri.TryCreate(collector, UriKind.Absolute, out Uri? address) ? address : throw new UsageException($"--otlp {collector}: is no address; give one such as http://localhost:4317."),
            Tls = certificate is null ? null : (certificate, key!),
            RequestTimeout = Seconds(parse.GetValue(Timeout)),
            DrainTimeout = TimeSpan.FromSeconds(parse.GetValue(Drain)),
        };
    }

    // Folders are looked for at once: a wrong one is said before anything listens.
    private static List<ModelSource> Catalog(CommandContext context, ParseResult parse)
    {
        string[] models = parse.GetValue(Sources)!;
        if (models.Length == 0)
            throw new UsageException("serve needs a model: gradus serve MODEL");
        EngineOptions engine = new(CacheBytes: (long)parse.GetValue(CacheMebibytes) << 20, MaxSequences: parse.GetValue(Sequences));
        List<ModelSource> sources = [];
        foreach (string model in models)
        {
            (string? given, string path) = Named(model);
            string name = given ?? NameOf(path);
            ModelLocation location = ModelFolder.Find(path, parse.GetValue(Base), context.Cancellation);
            sources.Add(new ModelSource(name, _ => new ServedModel(ModelBundle.Open(location, CpuDevice.Default, ModelBundleOptions.ToRun), engine))
            {
                Adapters = sources.Count > 0 ? [] : [.. parse.GetValue(Adapters)!.Select(Adapter)],
                Created = new DateTimeOffset(File.GetLastWriteTimeUtc(location.Adapter ?? location.Folder), TimeSpan.Zero),
            });
        }
        return sources;
    }

    private static AdapterSource Adapter(string adapter)
    {
        (string? name, string folder) = Named(adapter);
        return PeftFolder.IsAdapter(folder) ? new AdapterSource(name ?? NameOf(folder), folder) : throw new UsageException($"--adapter {adapter}: {folder} is no adapter's folder; give NAME=FOLDER, a folder with {PeftFolder.ConfigFile}.");
    }

    // NAME=PATH, or a path.
    private static (string? Name, string Path) Named(string text) => text.IndexOf('=', StringComparison.Ordinal) is var at and > 0 ? (text[..at], text[(at + 1)..]) : (null, text);

    // A name on the hub is the model's name; of a path its last part.
    private static string NameOf(string path) => Path.Exists(path) ? Path.GetFileNameWithoutExtension(Path.TrimEndingDirectorySeparator(Path.GetFullPath(path))) : path;

    private static TimeSpan? Seconds(double? seconds) => seconds is { } s ? TimeSpan.FromSeconds(s) : null;

    /// <summary>The server's log as lines on standard error.</summary>
    private sealed class StatusLogger(CommandContext context) : ILoggerProvider, ILogger
    {
        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= (context.Verbose ? LogLevel.Debug : LogLevel.Warning);

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (!IsEnabled(logLevel))
                return;
            string line = Failures.OneLine(formatter(state, exception));
            context.Note(exception is null ? line : context.Verbose ? $"{line}\n{exception}" : $"{line}: {Failures.OneLine(exception.Message)}");
        }

        public void Dispose()
        {
        }
    }
}
