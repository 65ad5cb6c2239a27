using System.Security.Cryptography;
using System.Text;
using Gradus.Bundle;
using Gradus.Generation;
using Gradus.Server.Inference;

namespace Gradus.Server.Catalog;

/// <summary>A model that is loaded, with all that it can do: write, make vectors, judge.</summary>
public sealed class ServedModel : IDisposable
{
    private readonly Lazy<TextEmbedder>? _embedder;

    /// <summary>A model that answers in a way of its own.</summary>
    /// <param name="inference">What answers; disposed with this.</param>
    public ServedModel(IInferenceModel inference)
    {
        ArgumentNullException.ThrowIfNull(inference);
        Inference = inference;
    }

    /// <summary>A model of ours.</summary>
    /// <param name="bundle">The model; disposed with this.</param>
    /// <param name="options">How the engine of a model that writes shares the machine; the defaults where null.</param>
    public ServedModel(ModelBundle bundle, EngineOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(bundle);
        Bundle = bundle;
        Fingerprint = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{Gradus.Models.Architectures.ToJson(bundle.Model.Config).ToJsonString()} {bundle.Model.ParameterCount}")))[..12];
        Inference = bundle.Model is Gradus.Models.GenerativeModel ? new EngineModel(bundle, options) : null;
        Ranker = PairRanker.Of(bundle);
        _embedder = new(() => new TextEmbedder(bundle));
    }

    /// <summary>What writes text; null for a model that does not.</summary>
    public IInferenceModel? Inference { get; }

    /// <summary>The parts of a model of ours; null for others.</summary>
    public ModelBundle? Bundle { get; }

    /// <summary>What makes vectors of texts as the model's files say; null where the model is not ours.</summary>
    public TextEmbedder? Embedder => _embedder?.Value;

    /// <summary>What says how well a text answers a question; null for a model that does not.</summary>
    internal PairRanker? Ranker { get; }

    /// <summary>A short name of what the model is, for <c>system_fingerprint</c>: its configuration and size, not its weights.</summary>
    public string Fingerprint { get; } = "model";

    /// <summary>When it was loaded.</summary>
    public DateTimeOffset Loaded { get; } = DateTimeOffset.UtcNow;

    /// <summary>Held by whoever runs the model beside its engine: one at a time, so that vectors do not crowd answers out.</summary>
    internal SemaphoreSlim Beside { get; } = new(1, 1);

    /// <summary>Loads an adapter beside others.</summary>
    /// <param name="adapter">Its name and folder.</param>
    /// <exception cref="InvalidDataException">The model takes no adapters, or this one does not fit it.</exception>
    public void AddAdapter(AdapterSource adapter)
    {
        ArgumentNullException.ThrowIfNull(adapter);
        (Inference as EngineModel ?? throw new InvalidDataException("The model does not write text, so no adapter can stand beside others on it.")).AddAdapter(adapter.Name, adapter.Folder);
    }

    /// <summary>Takes an adapter away.</summary>
    /// <param name="name">Its name.</param>
    /// <returns>Whether there was one of the name.</returns>
    public bool RemoveAdapter(string name) => (Inference as EngineModel)?.RemoveAdapter(name) ?? false;

    /// <summary>Ends the engine and frees the model.</summary>
    public void Dispose()
    {
        Inference?.Dispose();
        Bundle?.Dispose();
        Beside.Dispose();
    }
}
