using Gradus.Applications.Retrieval.Indexing;
using Gradus.Bundle;
using Gradus.Cli.Console;
using Gradus.Clients;
using Gradus.Tensors.Cpu;
using Microsoft.Extensions.AI;

namespace Gradus.Cli.Verbs;

/// <summary>Opens the embedding models of indexes: an index's own, or a model's folder.</summary>
internal sealed class RagModels(CommandContext context) : IDisposable
{
    private readonly List<IDisposable> _open = [];

    /// <summary>The model that made an index's vectors; null where it has none.</summary>
    public IEmbeddingGenerator<string, Embedding<float>>? ForIndex(RetrievalIndex index) =>
        index.OwnModel() ?? (index.Settings.EmbeddingModel is { } model ? Open(model) : null);

    /// <summary>Opens a model of texts.</summary>
    /// <param name="model">Its folder or file.</param>
    public IEmbeddingGenerator<string, Embedding<float>> Open(string model)
    {
        ModelBundle bundle = ModelFolder.Open(model, CpuDevice.Default, ModelBundleOptions.ToRun, cancel: context.Cancellation);
        _open.Add(bundle);
        LocalEmbeddingGenerator generator = new(bundle, new EmbeddingOptions(Truncate: true));
        _open.Add(generator);
        return generator;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        for (int i = _open.Count - 1; i >= 0; i--)
            _open[i].Dispose();
    }
}
