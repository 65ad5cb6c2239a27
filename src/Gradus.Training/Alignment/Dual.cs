namespace Gradus.Training.Alignment;

/// <summary>
/// A number with its derivatives by the log-probability of the chosen and of the rejected answer, so that a loss is written once, as its formula
/// stands in the paper, and has its gradient (forward-mode differentiation with dual numbers).
/// </summary>
/// <param name="Value">The number.</param>
/// <param name="Chosen">∂/∂ log π(chosen).</param>
/// <param name="Rejected">∂/∂ log π(rejected).</param>
public readonly record struct Dual(double Value, double Chosen = 0, double Rejected = 0)
{
    /// <summary>A constant.</summary>
    public static implicit operator Dual(double value) => new(value);

    /// <summary>a + b.</summary>
    public static Dual operator +(Dual a, Dual b) => new(a.Value + b.Value, a.Chosen + b.Chosen, a.Rejected + b.Rejected);

    /// <summary>a − b.</summary>
    public static Dual operator -(Dual a, Dual b) => new(a.Value - b.Value, a.Chosen - b.Chosen, a.Rejected - b.Rejected);

    /// <summary>−a.</summary>
    public static Dual operator -(Dual a) => new(-a.Value, -a.Chosen, -a.Rejected);

    /// <summary>a · b.</summary>
    public static Dual operator *(Dual a, Dual b) => new(a.Value * b.Value, (a.Chosen * b.Value) + (a.Value * b.Chosen), (a.Rejected * b.Value) + (a.Value * b.Rejected));

    /// <summary>a / b.</summary>
    public static Dual operator /(Dual a, double b) => new(a.Value / b, a.Chosen / b, a.Rejected / b);

    /// <summary>σ(x) = 1/(1 + e⁻ˣ).</summary>
    public static Dual Sigmoid(Dual x)
    {
        double s = Sigmoid(x.Value);
        return x.Apply(s, s * (1 - s));
    }

    /// <summary>log σ(x).</summary>
    public static Dual LogSigmoid(Dual x) => x.Apply(Math.Min(x.Value, 0) - Math.Log(1 + Math.Exp(-Math.Abs(x.Value))), Sigmoid(-x.Value));

    /// <summary>log(1 + eˣ).</summary>
    public static Dual Softplus(Dual x) => -LogSigmoid(-x);

    /// <summary>max(0, x); flat at 0.</summary>
    public static Dual Relu(Dual x) => x.Value > 0 ? x : 0;

    /// <summary>eˣ.</summary>
    public static Dual Exp(Dual x) => x.Apply(Math.Exp(x.Value), Math.Exp(x.Value));

    /// <summary>log(1 − eˣ) of x &lt; 0.</summary>
    public static Dual LogOneMinusExp(Dual x)
    {
        double e = Math.Exp(x.Value);
        return x.Apply(x.Value > -0.6 ? Math.Log(-double.ExpM1(x.Value)) : double.LogP1(-e), -e / (1 - e));
    }

    /// <summary>x².</summary>
    public static Dual Square(Dual x) => x * x;

    private static double Sigmoid(double x) => x >= 0 ? 1 / (1 + Math.Exp(-x)) : Math.Exp(x) / (1 + Math.Exp(x));

    private Dual Apply(double value, double slope) => new(value, slope * Chosen, slope * Rejected);
}
