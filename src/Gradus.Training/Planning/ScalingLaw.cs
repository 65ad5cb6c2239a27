namespace Gradus.Training.Planning;

/// <summary>A size and a number of tokens.</summary>
/// <param name="Parameters">N.</param>
/// <param name="Tokens">D.</param>
/// <param name="Loss">What the law says they reach.</param>
public sealed record OptimalSize(double Parameters, double Tokens, double Loss)
{
    /// <summary>Floating-point operations of the training, 6·N·D.</summary>
    public double Flops => 6 * Parameters * Tokens;
}

/// <summary>
/// The loss that a model of N parameters reaches after D tokens that it has not seen before: L = E + A/N^α + B/D^β (Hoffmann et al., "Training
/// compute-optimal large language models", 2022). Training takes 6·N·D floating-point operations, where N counts what is multiplied: embeddings
/// that are only looked up apart.
/// </summary>
/// <param name="E">The loss that no model goes below, in nats.</param>
/// <param name="A">The weight of the size.</param>
/// <param name="B">The weight of the data.</param>
/// <param name="Alpha">α, of the size.</param>
/// <param name="Beta">β, of the data.</param>
public sealed record ScalingLaw(double E, double A, double B, double Alpha, double Beta)
{
    // Muennighoff et al., "Scaling data-constrained language models", 2023: what is seen again is worth less and less.
    private const double RepetitionDecay = 15.4;

    /// <summary>The values that Hoffmann et al. fitted, unrounded; for web text in English and their tokenizer.</summary>
    public static ScalingLaw Hoffmann { get; } = new(Math.Exp(0.5267228), Math.Exp(6.0073404), Math.Exp(6.0179186), 0.33917084, 0.2849083);

    /// <summary>The values that Besiroglu et al. ("Chinchilla scaling: a replication attempt", 2024) fitted to the same data.</summary>
    public static ScalingLaw Besiroglu { get; } = new(1.8172, 482.01, 2085.43, 0.34781, 0.36585);

    /// <summary>The loss of a size after a number of tokens, in nats a token.</summary>
    /// <param name="parameters">N.</param>
    /// <param name="tokens">D.</param>
    public double Loss(double parameters, double tokens) => E + (A * Math.Pow(parameters, -Alpha)) + (B * Math.Pow(tokens, -Beta));

    /// <summary>What D tokens, some of them seen again, are worth in tokens that are new.</summary>
    /// <param name="tokens">Tokens that are trained on.</param>
    /// <param name="unique">Tokens that there are.</param>
    public static double Worth(double tokens, double unique) =>
        tokens <= unique ? tokens : unique + (unique * RepetitionDecay * (1 - Math.Exp(-((tokens / unique) - 1) / RepetitionDecay)));

    /// <summary>The size that reaches the lowest loss with a budget of computation.</summary>
    /// <param name="flops">Floating-point operations of the training.</param>
    /// <param name="unique">Tokens that there are; what goes beyond them is seen again.</param>
    /// <exception cref="ArgumentOutOfRangeException">The budget is not positive.</exception>
    public OptimalSize Optimal(double flops, double unique = double.PositiveInfinity)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(flops);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(unique);
        double n = Least(Math.Log(1e3), Math.Log(flops), logN => Loss(Math.Exp(logN), Worth(flops / 6 / Math.Exp(logN), unique)));
        return Sized(n, flops / 6 / n, unique);
    }

    /// <summary>
    /// The size that reaches a loss with the least computation of training and use together, 6·N·D + 2·N·T (Sardana et al., "Beyond
    /// Chinchilla-optimal", 2024).
    /// </summary>
    /// <param name="loss">The loss to reach, above <see cref="E"/>.</param>
    /// <param name="used">T, tokens that the model will read and write in its life.</param>
    /// <exception cref="ArgumentOutOfRangeException">No model reaches the loss.</exception>
    public OptimalSize OptimalForUse(double loss, double used)
    {
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(loss, E);
        ArgumentOutOfRangeException.ThrowIfNegative(used);
        // The smallest size that reaches the loss with any number of tokens.
        double smallest = Math.Pow(A / (loss - E), 1 / Alpha);
        double n = Least(Math.Log(smallest * 1.000001), Math.Log(smallest * 1e4), logN => (6 * Math.Exp(logN) * TokensFor(Math.Exp(logN), loss)) + (2 * Math.Exp(logN) * used));
        return Sized(n, TokensFor(n, loss), double.PositiveInfinity);
    }

    private OptimalSize Sized(double n, double d, double unique) => new(n, d, Loss(n, Worth(d, unique)));

    private double TokensFor(double n, double loss) => Math.Pow(B / (loss - E - (A * Math.Pow(n, -Alpha))), 1 / Beta);

    // Golden section: the functions have one valley.
    private static double Least(double low, double high, Func<double, double> f)
    {
        double ratio = (Math.Sqrt(5) - 1) / 2, a = low, b = high, c = b - (ratio * (b - a)), d = a + (ratio * (b - a));
        for (int i = 0; i < 200; i++)
        {
            if (f(c) <= f(d))
                (b, d) = (d, c);
            else
                (a, c) = (c, d);
            (c, d) = (b - (ratio * (b - a)), a + (ratio * (b - a)));
        }
        return Math.Exp((a + b) / 2);
    }
}
