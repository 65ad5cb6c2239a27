// Purpose: exact match with the leniencies that lm-evaluation-harness tasks ask for. Source: the metric exact_match of
// https://github.com/huggingface/evaluate, which the harness uses; the order of the steps is its own.

using Gradus.Text;

namespace Gradus.Evaluation.Metrics;

/// <summary>1 where the prediction equals a reference, else 0, after what is to be ignored has been taken out of both.</summary>
public sealed class ExactMatch : MeanMetric
{
    private const string Punctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";
    private readonly bool ignoreCase;
    private readonly bool ignorePunctuation;
    private readonly bool ignoreDigits;
    private readonly IReadOnlyList<PythonRegex> ignore;

    /// <summary>Exact match; by default nothing is ignored, not even white space.</summary>
    /// <param name="ignoreCase">Whether case is ignored.</param>
    /// <param name="ignorePunctuation">Whether ASCII punctuation is taken out.</param>
    /// <param name="ignoreDigits">Whether the digits 0 to 9 are taken out.</param>
    /// <param name="ignore">Patterns whose matches are taken out before anything else, in turn; none where null.</param>
    public ExactMatch(bool ignoreCase = false, bool ignorePunctuation = false, bool ignoreDigits = false, IReadOnlyList<PythonRegex>? ignore = null)
    {
        this.ignoreCase = ignoreCase;
        this.ignorePunctuation = ignorePunctuation;
        this.ignoreDigits = ignoreDigits;
        this.ignore = ignore ?? [];
        List<string> settings = [];
        if (ignoreCase)
            settings.Add("case");
        if (ignorePunctuation)
            settings.Add("punctuation");
        if (ignoreDigits)
            settings.Add("digits");
        settings.AddRange(this.ignore.Select(pattern => $"/{pattern.Pattern}/"));
        Settings = settings.Count == 0 ? "" : $"ignore:{string.Join(',', settings)}";
    }

    /// <inheritdoc/>
    public override string Name => "exact_match";

    /// <inheritdoc/>
    public override string Settings { get; }

    /// <inheritdoc/>
    public override double Best => 1;

    /// <inheritdoc/>
    protected override double ScoreOf(MetricExample example)
    {
        RequireReference(example);
        string prediction = Cleaned(example.Prediction);
        return example.References.Any(reference => Cleaned(reference) == prediction) ? 1 : 0;
    }

    private string Cleaned(string text)
    {
        foreach (PythonRegex pattern in ignore)
            text = pattern.Replace(text, "");
        if (ignoreCase)
            text = PythonText.ToLower(text);
        if (ignorePunctuation)
            text = string.Concat(text.Where(c => !Punctuation.Contains(c)));
        return ignoreDigits ? string.Concat(text.Where(c => !char.IsAsciiDigit(c))) : text;
    }
}
