using System.Numerics.Tensors;

namespace Gradus.Generation;

/// <summary>
/// Mirostat 2: leaves out tokens whose surprise −log₂ p is above μ, and moves μ so that the surprise of what is chosen stays near τ: μ ← μ − η (s − τ), from 2τ
/// on (Basu et al., "Mirostat", 2021). At least one token stays.
/// </summary>
/// <param name="surprise">τ, in bits, above 0.</param>
/// <param name="rate">η, in (0, 1].</param>
/// <param name="temperature">The temperature at which tokens are drawn, above 0.</param>
/// <param name="structure">What restricts the tokens besides, or null.</param>
public sealed class Mirostat(float surprise, float rate, float temperature = 1, TokenConstraint? structure = null) : TokenConstraint
{
    private readonly float _surprise = surprise > 0 && float.IsFinite(surprise) ? surprise : throw new ArgumentOutOfRangeException(nameof(surprise), surprise, "surprise is above 0.");
    private readonly float _rate = rate is > 0 and <= 1 ? rate : throw new ArgumentOutOfRangeException(nameof(rate), rate, "rate lies above 0 and up to 1.");
    private readonly float _temperature = temperature > 0 && float.IsFinite(temperature) ? temperature : throw new ArgumentOutOfRangeException(nameof(temperature), temperature, "temperature is above 0.");
    private double _most = 2 * surprise;
    private float[] _probabilities = [];

    /// <summary>μ, in bits.</summary>
    public double MostSurprise => _most;

    /// <inheritdoc/>
    public override void Prepare() => structure?.Prepare();

    /// <inheritdoc/>
    public override void Mask(Span<float> logits)
    {
        structure?.Mask(logits);
        if (_probabilities.Length != logits.Length)
            _probabilities = new float[logits.Length];
        TensorPrimitives.Divide(logits, _temperature, _probabilities);
        Distribution.Softmax(_probabilities, _probabilities);
        float least = (float)Math.Pow(2, -_most);
        int likeliest = TensorPrimitives.IndexOfMax<float>(_probabilities);
        double kept = 0;
        for (int i = 0; i < logits.Length; i++)
        {
            if (_probabilities[i] < least && i != likeliest)
                (logits[i], _probabilities[i]) = (float.NegativeInfinity, 0);
            kept += _probabilities[i];
        }
        if (kept > 0)
            TensorPrimitives.Multiply(_probabilities, (float)(1 / kept), _probabilities);
    }

    /// <inheritdoc/>
    public override void Accept(int token)
    {
        structure?.Accept(token);
        double seen = -Math.Log2(Math.Max(_probabilities[token], 1e-30));
        _most -= _rate * (seen - _surprise);
    }
}
