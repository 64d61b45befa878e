//! The functions about single numbers, and those about lists of bools.

use serde_json::Value;

use super::ExprError;
use super::functions::Call;
use super::ops;
use crate::json::type_name;

impl Call<'_, '_> {
    /// `abs ceil float floor int pow sqrt`. Whole numbers stay whole where the result is one.
    pub(super) fn number(&self) -> Result<Value, ExprError> {
        if let ("int" | "float", Value::String(text)) = (self.name, &*self.values[0]) {
            return self.parsed(text);
        }
        let Value::Number(number) = &*self.values[0] else {
            let wanted = if matches!(self.name, "int" | "float") {
                "a number or a text"
            } else {
                "a number"
            };
            return Err(self.wants(wanted, &self.values[0]));
        };
        if let Some(whole) = ops::integer(number) {
            match self.name {
                "abs" => return ops::from_integer(whole.abs(), self.offset),
                "ceil" | "floor" | "int" => return ops::from_integer(whole, self.offset),
                "pow" => return self.power(Some(whole), ops::float(number)),
                _ => {}
            }
        }
        let value = ops::float(number);
        match self.name {
            "abs" => ops::from_float(value.abs(), self.offset),
            "ceil" => self.whole(value.ceil()),
            "floor" => self.whole(value.floor()),
            "int" => self.whole(value.trunc()),
            "pow" => self.power(None, value),
            "sqrt" if value < 0.0 => Err(self.error("`sqrt` of a number below 0")),
            "sqrt" => ops::from_float(value.sqrt(), self.offset),
            _ => ops::from_float(value, self.offset),
        }
    }

    /// The items of a list of nothing but bools.
    pub(super) fn bools(&self) -> Result<Vec<bool>, ExprError> {
        let items = self.list()?;
        self.env.burn(items.len(), self.offset)?;
        let bools = items.iter().map(|item| {
            item.as_bool().ok_or_else(|| {
                let message =
                    format!("`{}` needs a list of bools, not a {}", self.name, type_name(item));
                ExprError::new("type-mismatch", self.offset, message)
            })
        });
        bools.collect()
    }

    fn power(&self, base: Option<i128>, value: f64) -> Result<Value, ExprError> {
        let Value::Number(exponent) = &*self.values[1] else {
            return Err(self.wants("a number", &self.values[1]));
        };
        let whole = ops::integer(exponent).and_then(|exponent| u32::try_from(exponent).ok());
        if let (Some(base), Some(exponent)) = (base, whole) {
            let overflow = || ExprError::new("overflow", self.offset, "the number is too large");
            let power = base.checked_pow(exponent).ok_or_else(overflow)?;
            return ops::from_integer(power, self.offset);
        }
        let exponent = ops::float(exponent);
        if value == 0.0 && exponent < 0.0 {
            return Err(ExprError::new("division-by-zero", self.offset, "division by zero"));
        }
        let power = value.powf(exponent);
        if power.is_nan() {
            return Err(self.error("`pow` of a number below 0 takes a whole exponent"));
        }
        ops::from_float(power, self.offset)
    }

    fn parsed(&self, text: &str) -> Result<Value, ExprError> {
        let number = || self.error(&format!("`{}` of a text that is not a number", self.name));
        let text = text.trim();
        if self.name == "int" {
            let whole = text.parse::<i128>().map_err(|_| number())?;
            return ops::from_integer(whole, self.offset);
        }
        let value = text.parse::<f64>().ok().filter(|value| value.is_finite());
        ops::from_float(value.ok_or_else(number)?, self.offset)
    }

    /// Past what a float can count one by one it stays a float.
    fn whole(&self, value: f64) -> Result<Value, ExprError> {
        if value.abs() < 9.0e15 {
            return ops::from_integer(value as i128, self.offset);
        }
        ops::from_float(value, self.offset)
    }
}
