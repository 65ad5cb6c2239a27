using Gradus.Bundle;
using Gradus.Nn;
using Microsoft.Extensions.AI;

namespace Gradus.Clients;

/// <summary>
/// A local model as an <see cref="IEmbeddingGenerator{TInput, TEmbedding}"/> of texts: an encoder, a decoder, or the encoder of T5. Any number of threads may ask
/// at once; a text has the same vector in any company.
/// </summary>
/// <remarks>
/// Dimensions keeps the first so many values and scales anew (Matryoshka representations). AdditionalProperties: <c>pooling</c> (mean, cls, last),
/// <c>normalize</c> and <c>truncate</c> (true or false); any other name is refused. ModelId is passed over: a generator has one model.
/// </remarks>
public sealed class LocalEmbeddingGenerator : IEmbeddingGenerator<string, Embedding<float>>
{
    private static readonly string[] Known = ["pooling", "normalize", "truncate"];

    private readonly ModelBundle _bundle;
    private readonly EmbeddingOptions _options;
    private readonly EmbeddingGeneratorMetadata _metadata;

    /// <summary>Takes a model to make vectors with.</summary>
    /// <param name="bundle">The model; it must outlive this, and is not disposed with it.</param>
    /// <param name="options">How, where a request does not say it; the defaults where null.</param>
    /// <param name="modelId">The name of the model; the name of its folder or file where null.</param>
    public LocalEmbeddingGenerator(ModelBundle bundle, EmbeddingOptions? options = null, string? modelId = null)
    {
        ArgumentNullException.ThrowIfNull(bundle);
        _bundle = bundle;
        _options = options ?? new EmbeddingOptions();
        modelId ??= Path.GetFileName(Path.TrimEndingDirectorySeparator(bundle.Location.Adapter ?? bundle.Location.Folder));
        _metadata = new EmbeddingGeneratorMetadata("gradus", null, modelId, _options.Dimensions);
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">A text has no tokens, or more than the context and is not to be cut; or an option is wrong.</exception>
    public async Task<GeneratedEmbeddings<Embedding<float>>> GenerateAsync(
        IEnumerable<string> values, EmbeddingGenerationOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(values);
        string[] texts = [.. values];
        TextEmbedder embedder = new(_bundle, Read(options));
        (int[][] ids, float[][] vectors) = await Task.Run(
            () =>
            {
                int[][] encoded = [.. texts.Select(embedder.Encode)];
                return (encoded, embedder.EmbedTokens(encoded, cancellationToken));
            },
            cancellationToken).ConfigureAwait(false);
        long tokens = ids.Sum(i => (long)i.Length);
        DateTimeOffset created = DateTimeOffset.UtcNow;
        return new GeneratedEmbeddings<Embedding<float>>(vectors.Select(v => new Embedding<float>(v) { ModelId = _metadata.DefaultModelId, CreatedAt = created }))
        {
            Usage = new UsageDetails { InputTokenCount = tokens, TotalTokenCount = tokens },
        };
    }

    /// <inheritdoc/>
    public object? GetService(Type serviceType, object? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        return serviceKey is not null ? null
            : serviceType == typeof(EmbeddingGeneratorMetadata) ? _metadata
            : serviceType.IsInstanceOfType(this) ? this
            : serviceType == typeof(ModelBundle) ? _bundle
            : null;
    }

    /// <summary>Does nothing: the model belongs to whoever opened it.</summary>
    public void Dispose()
    {
    }

    private EmbeddingOptions Read(EmbeddingGenerationOptions? options)
    {
        PropertyReader properties = new(options?.AdditionalProperties, Known);
        return new EmbeddingOptions(
            properties.Text("pooling") is { } name ? Find(name) : _options.Pooling,
            options?.AdditionalProperties?.ContainsKey("normalize") == true ? properties.Flag("normalize") : _options.Normalize,
            options?.Dimensions ?? _options.Dimensions,
            options?.AdditionalProperties?.ContainsKey("truncate") == true ? properties.Flag("truncate") : _options.Truncate);
    }

    private static Pooling Find(string name) => name switch
    {
        "mean" => Pooling.Mean,
        "cls" => Pooling.First,
        "last" => Pooling.Last,
        _ => throw new ArgumentException($"AdditionalProperties: pooling is {name}; there are mean, cls, last."),
    };
}
