namespace Gradus.Training.Data;

/// <summary>Examples by their number, in memory or made when asked for. Safe for use by many threads.</summary>
public abstract class ExampleSet
{
    /// <summary>How many there are.</summary>
    public abstract int Count { get; }

    /// <summary>The example of a number, from 0.</summary>
    public abstract Example this[int index] { get; }

    /// <summary>The tokens of an example, those of its source included.</summary>
    public abstract int TokensOf(int index);

    /// <summary>Examples that lie in memory.</summary>
    public static ExampleSet Of(IReadOnlyList<Example> examples) => new Listed(examples);

    private sealed class Listed(IReadOnlyList<Example> examples) : ExampleSet
    {
        public override int Count => examples.Count;

        public override Example this[int index] => examples[index];

        public override int TokensOf(int index) => examples[index].TotalTokens;
    }
}
