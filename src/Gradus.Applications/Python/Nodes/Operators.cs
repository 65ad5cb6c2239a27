using System.Runtime.CompilerServices;

namespace Gradus.Applications.Python;

/// <summary>The operators of two operands.</summary>
internal enum BinaryOperator { Add, Subtract, Multiply, Divide, FloorDivide, Modulo, Power, ShiftLeft, ShiftRight, And, Or, Xor, MatrixMultiply }

internal sealed class BinaryExpression(BinaryOperator op, Expression left, Expression right, Position at) : Expression(at)
{
    public override Value Evaluate(Frame f)
    {
        Value a = left.Evaluate(f), b = right.Evaluate(f);
        if (Fast(op, a, b, out Value result))
            return result;
        f.At = At;
        return Operations.Binary(f.It, op, a, b);
    }

    /// <summary>Small whole numbers and floats.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Fast(BinaryOperator op, Value a, Value b, out Value result)
    {
        if (a.IsSmall && b.IsSmall)
        {
            long x = a.Bits, y = b.Bits, z;
            switch (op)
            {
                case BinaryOperator.Add:
                    z = unchecked(x + y);
                    if (((x ^ z) & (y ^ z)) >= 0)
                    {
                        result = Value.Of(z);
                        return true;
                    }
                    break;
                case BinaryOperator.Subtract:
                    z = unchecked(x - y);
                    if (((x ^ y) & (x ^ z)) >= 0)
                    {
                        result = Value.Of(z);
                        return true;
                    }
                    break;
                case BinaryOperator.Multiply:
                    if (Math.BigMul(x, y, out z) == z >> 63)
                    {
                        result = Value.Of(z);
                        return true;
                    }
                    break;
                case BinaryOperator.FloorDivide when y > 0:
                    z = x / y;
                    result = Value.Of(x % y < 0 ? z - 1 : z);
                    return true;
                case BinaryOperator.Modulo when y > 0:
                    z = x % y;
                    result = Value.Of(z < 0 ? z + y : z);
                    return true;
                case BinaryOperator.And:
                    result = Value.Of(x & y);
                    return true;
                case BinaryOperator.Or:
                    result = Value.Of(x | y);
                    return true;
                case BinaryOperator.Xor:
                    result = Value.Of(x ^ y);
                    return true;
            }
        }
        else if (a.IsFloat && b.IsFloat)
        {
            switch (op)
            {
                case BinaryOperator.Add: result = Value.Of(a.Float + b.Float); return true;
                case BinaryOperator.Subtract: result = Value.Of(a.Float - b.Float); return true;
                case BinaryOperator.Multiply: result = Value.Of(a.Float * b.Float); return true;
                case BinaryOperator.Divide when b.Float != 0: result = Value.Of(a.Float / b.Float); return true;
            }
        }
        result = default;
        return false;
    }
}

internal enum UnaryOperator { Negate, Plus, Invert }

internal sealed class UnaryExpression(UnaryOperator op, Expression inner, Position at) : Expression(at)
{
    public override Value Evaluate(Frame f)
    {
        Value value = inner.Evaluate(f);
        f.At = At;
        return Operations.Unary(f.It, op, value);
    }
}

internal enum Comparison { Less, LessEqual, Greater, GreaterEqual, Equal, NotEqual, In, NotIn, Is, IsNot }

/// <summary>a &lt; b, and a &lt; b &lt; c.</summary>
internal sealed class CompareExpression(Expression first, (Comparison Op, Expression Right)[] rest, Position at) : Expression(at)
{
    public override Value Evaluate(Frame f)
    {
        Value left = first.Evaluate(f), result = default;
        foreach ((Comparison op, Expression expression) in rest)
        {
            Value right = expression.Evaluate(f);
            if (left.IsSmall && right.IsSmall && op <= Comparison.NotEqual)
            {
                long a = left.Bits, b = right.Bits;
                result = Value.Of(op switch
                {
                    Comparison.Less => a < b,
                    Comparison.LessEqual => a <= b,
                    Comparison.Greater => a > b,
                    Comparison.GreaterEqual => a >= b,
                    Comparison.Equal => a == b,
                    _ => a != b,
                });
            }
            else
            {
                f.At = At;
                result = Operations.Compare(f.It, op, left, right);
            }
            if (rest.Length > 1 && !Operations.Truth(f.It, result))
                return result;
            left = right;
        }
        return result;
    }
}
