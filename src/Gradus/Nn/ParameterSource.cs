using Gradus.Tensors;
using Gradus.Tensors.Packed;

namespace Gradus.Nn;

/// <summary>Where a model's parameters come from: drawn from a seed, or read from a file. The model file does not know.</summary>
public abstract class ParameterSource
{
    /// <summary>The value of a parameter, in the given workspace.</summary>
    /// <param name="name">Its dotted path.</param>
    /// <param name="shape">Its axes.</param>
    /// <param name="init">How it starts out where it is not stored.</param>
    /// <param name="store">The workspace that lives as long as the model.</param>
    /// <exception cref="InvalidDataException">A stored tensor is missing or has another shape.</exception>
    public abstract Tensor Get(string name, Shape shape, Init init, Workspace store);

    /// <summary>
    /// The value of a parameter of a head, which a model that was stored for another task does not have: a source may then draw it,
    /// if it was told to.
    /// </summary>
    /// <inheritdoc cref="Get"/>
    public virtual Tensor GetOfHead(string name, Shape shape, Init init, Workspace store) => Get(name, shape, init, store);

    /// <summary>Whether there is a value of a name to be had. A source that draws its values has all of them.</summary>
    /// <param name="name">Its dotted path.</param>
    public virtual bool Has(string name) => true;

    /// <summary>Says that a tensor of this name, or all tensors below it, may be stored although the model has no use for them.</summary>
    /// <param name="name">A dotted path.</param>
    public virtual void Leave(string name)
    {
    }

    /// <summary>Says that a parameter may be stored under other names too, or instead: the tied tables of some checkpoints.</summary>
    /// <param name="name">Its dotted path.</param>
    /// <param name="others">The other paths.</param>
    public virtual void Alias(string name, IReadOnlyList<string> others)
    {
    }

    /// <summary>The matrix of a linear layer, (out, in), or an embedding table in blocks, where it is stored so and is to stay so; else null.</summary>
    /// <param name="name">The dotted path of the parameter.</param>
    /// <param name="shape">Its axes.</param>
    /// <param name="store">The workspace that lives as long as the model.</param>
    /// <exception cref="InvalidDataException">The stored tensor has another shape.</exception>
    public virtual PackedMatrix? GetPacked(string name, Shape shape, Workspace store) => null;

    /// <summary>Another model's parameter that this model uses as its own, or null: embeddings that two models share.</summary>
    /// <param name="name">The dotted path of the parameter in this model.</param>
    /// <param name="shape">Its axes.</param>
    public virtual Parameter? Shared(string name, Shape shape) => null;

    /// <summary>Draws every parameter from a seed, each by its name, so that adding one changes no other.</summary>
    /// <param name="seed">The run's seed.</param>
    public static ParameterSource Random(ulong seed) => new RandomSource(seed);

    private sealed class RandomSource(ulong seed) : ParameterSource
    {
        public override Tensor Get(string name, Shape shape, Init init, Workspace store)
        {
            Tensor value = store.Empty(shape);
            init.Fill(value.Span(), CounterRandom.Derive(seed, name));
            return value;
        }
    }
}
