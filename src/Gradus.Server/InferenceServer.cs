using System.Net;
using System.Security.Cryptography.X509Certificates;
using Gradus.Server.Anthropic;
using Gradus.Server.Catalog;
using Gradus.Server.Hosting;
using Gradus.Server.Http;
using Gradus.Server.Inference;
using Gradus.Server.Observation;
using Gradus.Server.Ollama;
using Gradus.Server.OpenAi;
using Gradus.Server.Ranking;
using Gradus.Server.Responses;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;
using Scalar.AspNetCore;

namespace Gradus.Server;

/// <summary>
/// Serves models over HTTP. It listens before the models are loaded, answers 503 until they are, and when it stops lets running answers end. Nothing
/// is read from the environment or the working directory: all that it does is in its options.
/// </summary>
public sealed class InferenceServer : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly InferenceService _service;
    private readonly ServerOptions _options;
    private readonly ResponseStore _responses;

    /// <summary>Prepares a server.</summary>
    /// <param name="catalog">The models; disposed with this.</param>
    /// <param name="options">How it is reached, and what it takes; the defaults where null.</param>
    /// <param name="logging">Where the log goes; nowhere where null.</param>
    /// <exception cref="ArgumentException">An option is out of its range.</exception>
    /// <exception cref="InvalidDataException">The file of stored responses is no database.</exception>
    public InferenceServer(ModelCatalog catalog, ServerOptions? options = null, Action<ILoggingBuilder>? logging = null)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        _options = options ?? new ServerOptions();
        _options.Check();
        _responses = new ResponseStore(_options.State);
        _service = new InferenceService(catalog, _options, new ServerMetrics());
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ApplicationName = typeof(InferenceServer).Assembly.GetName().Name });
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration().ConfigureKestrel(Listen);
        builder.Services.AddRoutingCore();
        builder.Services.AddSingleton<IHostLifetime>(new CallerLifetime());
        builder.Services.Configure<HostOptions>(o => o.ShutdownTimeout = TimeSpan.FromSeconds(5));
        logging?.Invoke(builder.Logging);
        if (_options.Telemetry is { } telemetry)
        {
            builder.Services.AddOpenTelemetry().ConfigureResource(r => r.AddService("gradus"))
                .WithTracing(t => t.AddSource(GenAiTelemetry.Name).AddOtlpExporter(o => o.Endpoint = telemetry))
                .WithMetrics(m => m.AddMeter(GenAiTelemetry.Name).AddOtlpExporter(o => o.Endpoint = telemetry));
        }
        _app = builder.Build();
        new RequestPipeline(_service).Use(_app);
        Map(_app);
    }

    /// <summary>Where the server can be reached; once it has started.</summary>
    public Uri Address { get; private set; } = new("about:blank");

    /// <summary>Starts to listen.</summary>
    /// <exception cref="IOException">The port is in use.</exception>
    public async Task Start(CancellationToken cancellation = default)
    {
        await _app.StartAsync(cancellation).ConfigureAwait(false);
        string address = _app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();
        Address = new Uri(address.Replace("[::]", "localhost", StringComparison.Ordinal).Replace("0.0.0.0", "localhost", StringComparison.Ordinal));
    }

    /// <summary>Loads the models that are loaded at the start; requests are answered from then on.</summary>
    /// <exception cref="InvalidDataException">One cannot be loaded.</exception>
    public Task Load(CancellationToken cancellation = default) => _service.Catalog.Preload(cancellation);

    /// <summary>Lets nothing in any more, waits for running answers, and stops.</summary>
    /// <returns>Whether all answers ended before the time was over.</returns>
    public async Task<bool> Stop()
    {
        bool ended = await _service.Drain(_options.DrainTimeout).ConfigureAwait(false);
        using CancellationTokenSource now = new(ended ? TimeSpan.FromSeconds(5) : TimeSpan.FromMilliseconds(200));
        await _app.StopAsync(now.Token).ConfigureAwait(false);
        return ended;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync().ConfigureAwait(false);
        _service.Catalog.Dispose();
        _responses.Dispose();
    }

    private void Listen(KestrelServerOptions kestrel)
    {
        kestrel.AddServerHeader = false;
        kestrel.Limits.MaxRequestBodySize = _options.MaxBodyBytes;
        // The time that a streamed answer takes depends on its reader.
        kestrel.Limits.MinResponseDataRate = null;
        Action<ListenOptions> listen = endpoint =>
        {
            if (_options.Tls is { } tls)
                endpoint.UseHttps(X509Certificate2.CreateFromPemFile(tls.Certificate, tls.Key));
        };
        if (_options.Host == "*")
            kestrel.ListenAnyIP(_options.Port, listen);
        else if (_options.Host == "localhost" && _options.Port != 0)
            kestrel.ListenLocalhost(_options.Port, listen);
        else
            kestrel.Listen(_options.Host == "localhost" ? IPAddress.Loopback : IPAddress.Parse(_options.Host), _options.Port, listen);
    }

    private void Map(IEndpointRouteBuilder app)
    {
        string[] get = ["GET", "HEAD"];
        HealthEndpoint health = new(_service);
        app.MapMethods("/health", get, health.Ready);
        app.MapMethods("/healthz", get, health.Ready);
        app.MapMethods("/readyz", get, health.Ready);
        app.MapMethods("/livez", get, health.Live);
        app.MapMethods("/metrics", get, health.Metrics);
        ModelEndpoint models = new(_service.Catalog);
        app.MapMethods("/v1/models", get, models.List);
        app.MapMethods("/v1/models/{**name}", get, models.Get);
        app.MapPost("/v1/chat/completions", new ChatEndpoint(_service).Answer);
        app.MapPost("/v1/completions", new CompletionEndpoint(_service).Answer);
        app.MapPost("/v1/embeddings", new EmbeddingEndpoint(_service).Answer);
        AdapterEndpoints adapters = new(_service.Catalog, _options.AdapterFolder);
        app.MapMethods("/lora-adapters", get, adapters.List);
        app.MapPost("/v1/load_lora_adapter", adapters.Load);
        app.MapPost("/v1/unload_lora_adapter", adapters.Unload);
        ResponsesEndpoint responses = new(_service, _responses);
        app.MapPost("/v1/responses", responses.Answer);
        app.MapMethods("/v1/responses/{id}", get, responses.Get);
        app.MapDelete("/v1/responses/{id}", (RequestDelegate)responses.Delete);
        RankEndpoint ranking = new(_service);
        foreach (string path in new[] { "/rerank", "/v1/rerank", "/v2/rerank" })
            app.MapPost(path, ranking.Answer);
        MessagesEndpoint messages = new(_service);
        app.MapPost("/v1/messages", messages.Answer);
        app.MapPost("/v1/messages/count_tokens", messages.Count);
        MapOllama(app, get);
        new PageEndpoint().Map(app);
        app.MapMethods("/openapi.json", get, c => JsonAnswer.Write(c, OpenApiDocument.Create(_service.Catalog.Names[0].Name, _options.Keys is not null)));
        app.MapScalarApiReference("/scalar", o => o.WithOpenApiRoutePattern("/openapi.json").WithTitle("Gradus").DisableDefaultFonts());
        TokenEndpoints tokens = new(_service.Catalog);
        app.MapPost("/tokenize", tokens.Tokenize);
        app.MapPost("/detokenize", tokens.Detokenize);
        app.MapPost("/apply-template", tokens.ApplyTemplate);
    }

    private void MapOllama(IEndpointRouteBuilder app, string[] get)
    {
        OllamaEndpoint ollama = new(_service);
        OllamaNames names = new(_service.Catalog, _options.Build);
        app.MapPost("/api/chat", ollama.Chat);
        app.MapPost("/api/generate", ollama.Generate);
        app.MapPost("/api/embed", ollama.Embed);
        app.MapPost("/api/embeddings", ollama.EmbedOne);
        app.MapPost("/api/show", names.Show);
        app.MapMethods("/api/tags", get, names.Tags);
        app.MapMethods("/api/ps", get, names.Running);
        app.MapMethods("/api/version", get, names.Version);
    }

    /// <summary>The process belongs to the caller, who hears its signals.</summary>
    private sealed class CallerLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
