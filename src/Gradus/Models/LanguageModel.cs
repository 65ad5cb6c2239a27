using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Tensors.Packed;

namespace Gradus.Models;

/// <summary>A model of an architecture with its parameters, which gives a hidden state for every token. What every kind has in common.</summary>
public abstract class LanguageModel : IDisposable
{
    private protected LanguageModel(ModelConfig config, Scope scope)
    {
        Config = config;
        Parts = scope.Parts;
    }

    /// <summary>The hyperparameters.</summary>
    public ModelConfig Config { get; internal set; }

    /// <summary>Parameters and linear layers by name.</summary>
    public ModelParts Parts { get; }

    /// <summary>All parameters of the model itself; an adapter's are its own.</summary>
    public IReadOnlyList<Parameter> Parameters => Parts.Parameters;

    /// <summary>The parameters that training changes: the model's trainable ones, then those of adapters.</summary>
    public IEnumerable<Parameter> TrainableParameters => Parameters
        .Concat(Parts.Embeddings.Where(e => e.Adapter is not null).SelectMany(e => e.Adapter!.Parameters))
        .Concat(Parts.Linears.Where(l => l.Adapter is not null).SelectMany(l => l.Adapter!.Parameters))
        .Concat(PrefixParameters)
        .Where(p => p.Trainable);

    private protected virtual IEnumerable<Parameter> PrefixParameters => [];

    /// <summary>Where the model computes.</summary>
    public Device Device => Parts.Store.Device;

    /// <summary>The number of the model's own values, quantized ones included, buffers apart.</summary>
    public long ParameterCount => Parameters.Where(p => !p.IsBuffer).Sum(p => p.Shape.Count)
        + Parts.Linears.Select(l => l.Weight is PackedWeight { CopyOf: null } packed ? packed.Matrix : null)
            .Concat(Parts.Embeddings.Select(e => e.Packed)).OfType<PackedMatrix>().Distinct().Sum(m => (long)m.Rows * m.Columns);

    /// <summary>The hidden state of every token after the last block, (N, C): what the heads stand on.</summary>
    /// <exception cref="ArgumentException">A sequence is longer than the context.</exception>
    public abstract Tensor Hidden(Pass pass);

    /// <summary>Makes all of the model's own parameters trainable, buffers apart, or none.</summary>
    public void SetTrainable(bool trainable)
    {
        foreach (Parameter parameter in Parameters)
            parameter.Trainable = trainable && !parameter.IsBuffer;
    }

    /// <summary>Frees the parameters.</summary>
    public void Dispose()
    {
        Parts.Store.Dispose();
        GC.SuppressFinalize(this);
    }

    private protected void CheckLength(Pass pass)
    {
        ArgumentNullException.ThrowIfNull(pass);
        if (pass.Inputs.LongestPosition > Config.ContextLength)
            throw new ArgumentException($"The sequence has {pass.Inputs.LongestPosition} tokens, but the model's context is {Config.ContextLength}; shorten it.");
    }
}
